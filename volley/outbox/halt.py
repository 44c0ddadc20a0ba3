"""All sending of an account stopped by hand: kept in Redis beside the rests, so every worker heeds it and every view of rests tells it."""

from typing import NamedTuple

import orjson

from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching

_BUCKET = "h"
_NEVER_US = 8_000_000_000_000_000
"""2223: nobody knows when it goes on."""


class Halt(NamedTuple):
    """`changed` False: it was so already. `in_flight`: messages that had been granted before, and are still sent or settled."""

    changed: bool
    in_flight: int


async def stop(outbox: Outbox, why: str) -> Halt:
    """Nothing of any campaign is granted any more once this returns, by any worker, through restarts, until `go_on`.

    Raises:
        TryAgainLater: Redis is away; it may or may not be so.
    """
    reason = f"stopped by {outbox.who or 'hand'}" + (f": {why[:160]}" if why else "")
    return await _halt(outbox, 1, reason, outbox.action("stop", why=why))


async def go_on(outbox: Outbox) -> Halt:
    """What was stopped goes on. What a person paused, and what rests, stays so. TryAgainLater: Redis is away."""
    return await _halt(outbox, 0, "", outbox.action("go_on"))


async def _halt(outbox: Outbox, stopped: int, reason: str, action: bytes) -> Halt:
    with reaching():
        changed, flying = await outbox.scripts.durable("halt", stopped, reason, _NEVER_US, action)
    return Halt(bool(changed), int(flying))


async def stopped(outbox: Outbox) -> str:
    """Who stopped it and why; "" where nobody did. TryAgainLater: Redis is away."""
    with reaching():
        held = await outbox.redis.hget(outbox.keys.of("stops"), _BUCKET)
    return "" if held is None else str(orjson.loads(held)["reason"])
