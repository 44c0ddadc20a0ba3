"""Chunks that were set aside, as lua/poison.lua notes them: their messages took worker after worker down with them."""

from typing import NamedTuple

from volley.outbox.client import Redis
from volley.outbox.keys import Keys


class SetAside(NamedTuple):
    """`messages` of a chunk are dead since `since_us`, and can be redriven."""

    campaign: str
    chunk: int
    messages: int
    since_us: int


async def set_aside(client: Redis, keys: Keys, campaign_id: str | None = None) -> list[SetAside]:
    """Of all campaigns, or of one; in order."""
    found = []
    for place, value in (await client.hgetall(keys.of("poison"))).items():
        campaign, _, chunk = place.decode().partition(":")
        kind, since_us, messages, *_ = value.decode().split(" ")
        if kind == "z" and campaign_id in (None, campaign):
            found.append(SetAside(campaign, int(chunk), int(messages), int(since_us)))
    return sorted(found)
