"""The pool's senders and rates on their way into Redis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal

import orjson

from volley.outbox.classes import deal
from volley.outbox.scripts import Scripts
from volley.profile import ProfileFacts
from volley.sender import Sender, SenderType


def roster(
    profile: str,
    senders: Sequence[Sender],
    weights: Mapping[SenderType, int],
    facts: ProfileFacts | None,
    routes: Mapping[str, tuple[SenderType, ...]],
) -> Iterator[str | bytes]:
    """The arguments of lua/sync.lua."""
    dealing = deal(senders, weights, routes, facts)
    yield from (profile, dealing.classes, dealing.routes, b"" if facts is None else facts.to_json())
    for sender in senders:
        home = dealing.homes[sender.number]
        yield from (sender.number, str(sender.rate_milli), home.name, home.state)
        yield from (sender.group or _shared(sender), orjson.dumps({"index": 0, **asdict(sender)}))


def _shared(sender: Sender) -> str:
    """An alphanumeric ID has one rate at the carrier, on however many profiles: sync.lua gives this bucket that rate."""
    return f"@{sender.number}" if sender.type == "alphanumeric" else ""


async def set_rates(
    scripts: Scripts,
    account: Decimal,
    profiles: Mapping[str, Decimal],
    mms: Decimal | None,
    campaigns: Mapping[str, Decimal] | None,
) -> None:
    """Parts per second; a profile or registered campaign that is not named has no limit of its own. None: as they were."""
    rates = {"a": account}
    if mms is not None:
        rates["m"] = mms
    client, keys = scripts.client, scripts.keys
    indices = {name.decode(): int(index) for name, index in (await client.hgetall(keys.of("profile"))).items()}
    rates |= {f"p{index}": profiles[name] for name, index in indices.items() if name in profiles}
    rates |= {f"g{name}": rate for name, rate in (campaigns or {}).items()}
    over = "p" if campaigns is None else "pg"
    held = [bucket.decode() for bucket in await client.hgetall(keys.of("rates"))]
    gone = [bucket for bucket in held if bucket[0] in over and not bucket.startswith("g@") and bucket not in rates]
    wanted = dict.fromkeys(gone, "") | {bucket: str(int(rate * 1000)) for bucket, rate in rates.items()}
    await scripts.run("rates", *(word for pair in wanted.items() for word in pair))
