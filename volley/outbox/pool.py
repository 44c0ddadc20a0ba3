"""The senders of all pools as grants name them."""

from typing import NamedTuple

import orjson

from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.sender import SenderType


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
    known = map(orjson.loads, held.values())
    types: dict[int, SenderType] = {info["index"]: info["type"] for info in known}
    return {
        int(index): Member(number.decode(), int(records[index].split(b" ")[1]), types.get(int(index), "long_code"))
        for index, number in numbers.items()
    }
