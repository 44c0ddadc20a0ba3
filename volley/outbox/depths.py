"""How campaigns stand and where what is ready of them waits: a read-only script for every hundred campaigns, for those who watch.

Nothing here walks lanes or messages; what a look costs is the number of campaigns.
"""

from collections.abc import Sequence
from typing import NamedTuple

from volley.outbox import terms
from volley.outbox.outbox import Outbox
from volley.state import STATUS, State

PAGE = 100
"""Campaigns in one call: takes wait no longer than half a millisecond for it."""
_MOST_LANES = 40
_MOST_RETRIES = 1_000

_COUNTERS = ("n" + state for state in STATUS if state != State.READY)
FIELDS = ("st", "ln", "n.", "f", "l", "sp", "cm", "bc", "bd", "bz", "py", *_COUNTERS, *terms.FIELDS)


class Depth(NamedTuple):
    """`fields` as Redis has them, without the campaign's fixed facts. `own`: refs that wait in lanes of one sender (a pinned or a
    named one), `nobody`: refs that no sender may serve; -1: too many lanes to look at."""

    fields: dict[bytes, bytes]
    own: int
    nobody: int

    def number(self, name: str) -> int:
        return int(self.fields.get(name.encode(), 0))


async def depths(outbox: Outbox, campaigns: Sequence[str]) -> dict[str, Depth]:
    """Those of the campaigns that Redis has. Redis errors pass through."""
    found: dict[str, Depth] = {}
    for at in range(0, len(campaigns), PAGE):
        page = campaigns[at : at + PAGE]
        _, *answers = await outbox.scripts.run("depths", _MOST_LANES, len(FIELDS), *FIELDS, *page)
        found |= {name: _depth(values) for name, values in zip(page, answers, strict=True) if values}
    return found


_NAMES = tuple(name.encode() for name in FIELDS)


def _depth(values: list[bytes | int | None]) -> Depth:
    *fields, own, nobody = values
    held = {name: value for name, value in zip(_NAMES, fields, strict=True) if isinstance(value, bytes)}
    return Depth(held, int(own or 0), int(nobody or 0))


async def retries(outbox: Outbox) -> dict[str, int]:
    """Campaign → messages of it that rest between two attempts. Of very many it is an estimate from the first thousand.

    Redis errors pass through.
    """
    later = outbox.keys.of("later")
    total = int(await outbox.redis.execute_command("ZCARD", later))
    if not total:
        return {}
    counted: dict[str, int] = {}
    members = await outbox.redis.zrange(later, 0, _MOST_RETRIES - 1)
    for member in members:
        name = member[:16].decode()
        counted[name] = counted.get(name, 0) + 1
    share = total / max(len(members), 1)
    return {name: round(count * share) for name, count in counted.items()}
