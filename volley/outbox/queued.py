"""How much stands in each lane of one campaign, and with whom: plain reads, for one person's question.

What it costs is the number of lanes, which is that of senders and classes at most; no lane is walked.
"""

from collections.abc import Sequence
from typing import NamedTuple

from volley.outbox.outbox import Outbox

_PAGE = 500
_LINE = 50


class Rival(NamedTuple):
    """Another campaign that waits for the same sender."""

    campaign: str
    urgent: bool
    refs: int


async def lanes(outbox: Outbox, campaign: str) -> dict[str, int]:
    """Lane owner (`s<sender>`, `c<profile>.<class>`) → refs, of those in which something is. Redis errors pass through."""
    owners = sorted(owner.decode() for owner in await outbox.redis.smembers(outbox.keys.of("lanes", campaign)))
    found: dict[str, int] = {}
    for at in range(0, len(owners), _PAGE):
        page = owners[at : at + _PAGE]
        lengths = await _lengths(outbox, [(campaign, owner) for owner in page])
        found |= {owner: length for owner, length in zip(page, lengths, strict=True) if length}
    return found


async def rivals(outbox: Outbox, campaign: str, owner: str) -> list[Rival]:
    """Other campaigns that stand in line at an owner's lane, the first fifty of each priority. Redis errors pass through."""
    found = []
    for priority in ("u", "b"):
        line = await outbox.redis.zrange(outbox.keys.of("ready", priority, owner), 0, _LINE - 1)
        names = [name.decode() for name in line if name.decode() != campaign]
        lengths = await _lengths(outbox, [(name, owner) for name in names])
        found += [Rival(name, priority == "u", length) for name, length in zip(names, lengths, strict=True)]
    return found


async def next_retry_us(outbox: Outbox, campaign: str) -> int:
    """When the first of its messages is tried again, of the thousand that are tried soonest; 0: none of them is its own."""
    flat = await outbox.redis.execute_command("ZRANGE", outbox.keys.of("later"), 0, 999, "WITHSCORES")
    own = (
        int(float(at)) for member, at in zip(flat[::2], flat[1::2], strict=True) if member.startswith(campaign.encode())
    )
    return next(own, 0)


async def _lengths(outbox: Outbox, places: Sequence[tuple[str, str]]) -> list[int]:
    pipeline = outbox.redis.pipeline(transaction=False)
    for campaign, owner in places:
        pipeline.execute_command("LLEN", outbox.keys.of("lane", campaign, owner))
    return [int(length) for length in await pipeline.execute()]
