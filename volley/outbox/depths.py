"""How campaigns stand and where what is ready of them waits: a read-only script for every hundred campaigns, for those who watch.

Nothing here walks lanes or messages; what a look costs is the number of campaigns.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from volley.outbox import terms
from volley.outbox.outbox import Outbox
from volley.state import STATUS, State

PAGE = 100
"""Campaigns in one call: takes wait no longer than half a millisecond for it."""
_MOST_LANES = 40
_MOST_RETRIES = 1_000
_LONGEST_RETRY_US = 120_000_000
"""Who rests for longer waits for a window."""

_COUNTERS = ("n" + state for state in STATUS if state != State.READY)
FIELDS = tuple(dict.fromkeys(("st", "ln", "n.", "f", "l", "sp", "cm", *_COUNTERS, *terms.FIELDS)))


class Depth(NamedTuple):
    """`fields` as Redis has them, without the campaign's fixed facts. `own`: refs that wait in lanes of one sender (a pinned or a
    named one), `nobody`: refs that no sender may serve; -1: too many lanes to look at."""

    fields: dict[bytes, bytes]
    own: int
    nobody: int
    values: Sequence[bytes | int | None]
    """As they were answered."""

    def number(self, name: str) -> int:
        return int(self.fields.get(name.encode(), 0))


async def depths(
    outbox: Outbox, campaigns: Sequence[str], before: Mapping[str, Depth] | None = None
) -> dict[str, Depth]:
    """Those of the campaigns that Redis has; one that is as it was `before` is that very object. Redis errors pass through."""
    known = before or {}
    found: dict[str, Depth] = {}
    for at in range(0, len(campaigns), PAGE):
        page = campaigns[at : at + PAGE]
        _, *answers = await outbox.scripts.run("depths", _MOST_LANES, len(FIELDS), *FIELDS, *page)
        found |= {name: _depth(values, known.get(name)) for name, values in zip(page, answers, strict=True) if values}
    return found


_NAMES = tuple(name.encode() for name in FIELDS)


def _depth(values: list[bytes | int | None], before: Depth | None) -> Depth:
    if before is not None and before.values == values:
        return before
    *fields, own, nobody = values
    held = {name: value for name, value in zip(_NAMES, fields, strict=True) if isinstance(value, bytes)}
    return Depth(held, int(own or 0), int(nobody or 0), values)


class Later(NamedTuple):
    """Campaign → messages of it that rest between two attempts, and that are laid by until their window opens."""

    retries: dict[str, int]
    laid_by: dict[str, int]


async def later(outbox: Outbox, now_us: int) -> Later:
    """Of very many it is an estimate from the first thousand. Redis errors pass through."""
    key, border = outbox.keys.of("later"), now_us + _LONGEST_RETRY_US
    return Later(
        await _resting(outbox, key, "-inf", border),
        await _resting(outbox, key, f"({border}", "+inf"),
    )


async def _resting(outbox: Outbox, key: str, first: str | int, last: str | int) -> dict[str, int]:
    total = int(await outbox.redis.execute_command("ZCOUNT", key, first, last))
    if not total:
        return {}
    members = await outbox.redis.zrangebyscore(key, first, last, 0, _MOST_RETRIES)
    counted = Counter(member[:16].decode() for member in members)
    return {name: round(count * total / len(members)) for name, count in counted.items()}


async def parked(outbox: Outbox, campaigns: Sequence[str]) -> dict[str, int]:
    """Campaign → chunks of it that are planned when a window opens. Redis errors pass through."""
    found: dict[str, int] = {}
    for at in range(0, len(campaigns), PAGE):
        pipeline = outbox.redis.pipeline(transaction=False)
        for name in campaigns[at : at + PAGE]:
            pipeline.execute_command("ZCARD", outbox.keys.of("parked", name))
        found |= dict(zip(campaigns[at : at + PAGE], await pipeline.execute(), strict=True))
    return found
