"""The senders of all pools as grants name them."""

from typing import NamedTuple

import orjson

from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.sender import SenderType


class Member(NamedTuple):
    """A sender as grants name it. `number` may be carrier_pool(profile), whose `type` is carrier_pool. `group`: its registered
    campaign.
    """

    number: str
    profile_index: int
    type: SenderType = "long_code"
    group: str = ""


async def members(client: Redis, keys: Keys) -> dict[int, Member]:
    """All senders there ever were, by index."""
    numbers = await client.hgetall(keys.of("numbers"))
    records = await client.hgetall(keys.of("sender"))
    held = await client.hgetall(keys.of("senderinfo"))
    known = map(orjson.loads, held.values())
    types: dict[int, SenderType] = {info["index"]: info["type"] for info in known}
    found = {}
    for index, number in numbers.items():
        _, profile, _, _, group = records[index].decode().split(" ", 4)
        found[int(index)] = Member(number.decode(), int(profile), types.get(int(index), "long_code"), group)
    return found
