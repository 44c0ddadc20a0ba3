"""The pool's senders and rates on their way into Redis."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import NamedTuple

import orjson

from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.sender import Sender, SenderType


def roster(profile: str, senders: Sequence[Sender], weights: dict[SenderType, int]) -> Iterator[str | bytes]:
    """The arguments of lua/sync.lua. A type with no weight, where there are weights, is kept out of the pool."""
    present = {sender.type for sender in senders if sender.active}
    classes = {kind: weight for kind, weight in weights.items() if weight > 0 and kind in present}
    yield profile
    yield " ".join(f"{kind} {weight}" for kind, weight in classes.items()) or "any 1"
    for sender in senders:
        usable = sender.active and (not classes or sender.type in classes)
        yield from (sender.number, str(sender.rate_milli), sender.type if sender.type in classes else "any")
        yield from ("a" if usable else "x", sender.group, orjson.dumps({"index": 0, **asdict(sender)}))


async def set_rates(client: Redis, keys: Keys, account: Decimal, profiles: dict[str, Decimal]) -> None:
    """Parts per second; a profile that is not named has no limit of its own."""
    rates = {"a": int(account * 1000)}
    indices = await client.hgetall(keys.of("profile"))
    for profile, index in indices.items():
        own = profiles.get(profile.decode())
        if own is None:
            await client.hdel(keys.of("rates"), f"p{int(index)}")
        else:
            rates[f"p{int(index)}"] = int(own * 1000)
    await client.hset(keys.of("rates"), mapping=rates)


class Member(NamedTuple):
    """A sender as grants name it. `number` may be carrier_pool(profile), whose `type` is carrier_pool."""

    number: str
    profile_index: int
    type: SenderType = "long_code"


async def members(client: Redis, keys: Keys) -> dict[int, Member]:
    """All senders there ever were, by index."""
    numbers = await client.hgetall(keys.of("numbers"))
    records = await client.hgetall(keys.of("sender"))
    held = await client.hgetall(keys.of("senderinfo"))
    types: dict[bytes, SenderType] = {number: orjson.loads(info)["type"] for number, info in held.items()}
    return {
        int(index): Member(number.decode(), int(records[index].split(b" ")[1]), types.get(number, "long_code"))
        for index, number in numbers.items()
    }
