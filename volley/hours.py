"""Quiet hours: the moments at which nothing is sent to people of some time zones, as their clocks on the wall have it. Pure.

A moment is quiet where the local time lies within the quiet hours; it is open only where it is quiet in none of the zones. Moments
are whole seconds since 1970, so that a change to or from summer time needs no rule of its own.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from volley.errors import RowError, UnusableInput

MARGIN_S = 1
"""A window ends this much earlier than the hours begin: what is granted in it is on the wire before they do."""
DAY_S = 86_400
_GIVEN = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_DAY_MINUTES = 24 * 60
_NOT_IANA = ("localtime", "posixrules", "Factory")

Window = tuple[int, int]
"""From the first second to the first one that is not in it any more."""


class QuietHours(NamedTuple):
    """Minutes of the day: from `begins` on, until before `ends`, which may be of the next day."""

    begins: int
    ends: int

    def holds(self, minute: int) -> bool:
        if self.begins < self.ends:
            return self.begins <= minute < self.ends
        return minute >= self.begins or minute < self.ends


def parse(text: str) -> QuietHours:
    """`21:00-08:00`. Raises UnusableInput, also for blanks around it: it is kept as it was given, and scripts end a word there."""
    found = _GIVEN.fullmatch(text)
    begins, ends = (60 * int(found[1]) + int(found[2]), 60 * int(found[3]) + int(found[4])) if found else (0, 0)
    minutes = found is not None and int(found[2]) < 60 and int(found[4]) < 60
    if not minutes or not 0 <= begins < _DAY_MINUTES or not 0 <= ends <= _DAY_MINUTES or begins == ends % _DAY_MINUTES:
        raise UnusableInput(f"quiet hours {text[:40]!r}: write when they begin and end, as in 21:00-08:00")
    return QuietHours(begins, ends % _DAY_MINUTES)


@cache
def zone(name: str) -> ZoneInfo:
    """Raises RowError for what is no time zone."""
    try:
        if name.strip() != name or not name or name in _NOT_IANA:
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RowError("the zone is no time zone: write one of IANA's names, as in America/New_York") from None


def windows(quiet: QuietHours, zones: Iterable[str], since_s: int, until_s: int) -> list[Window]:
    """The open moments within [since, until), in order. Raises RowError for what is no time zone."""
    clocks = [zone(name) for name in zones]
    edges = sorted({since_s, until_s, *(edge for clock in clocks for edge in _edges(quiet, clock, since_s, until_s))})
    found: list[Window] = []
    for begin, end in pairwise(edges):
        if any(quiet.holds(_minute(clock, begin)) for clock in clocks):
            continue
        if found and found[-1][1] == begin:
            found[-1] = found[-1][0], end
        else:
            found.append((begin, end))
    return found


def _minute(clock: ZoneInfo, at_s: int) -> int:
    local = datetime.fromtimestamp(at_s, clock)
    return 60 * local.hour + local.minute


def _edges(quiet: QuietHours, clock: ZoneInfo, since_s: int, until_s: int) -> Iterator[int]:
    """All moments at which it may become quiet or end to be: where the clock shows the hour, and where it is put forward or back."""
    day = datetime.fromtimestamp(since_s, clock).date() - timedelta(days=1)
    last = datetime.fromtimestamp(until_s, clock).date()
    while day <= last:
        for minute in quiet:
            shown = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=clock)
            yield from _within((int(shown.replace(fold=fold).timestamp()) for fold in (0, 1)), since_s, until_s)
        day += timedelta(days=1)
    yield from _within(_changes(clock, since_s, until_s), since_s, until_s)


def _within(moments: Iterable[int], since_s: int, until_s: int) -> Iterator[int]:
    return (moment for moment in moments if since_s < moment < until_s)


def _changes(clock: ZoneInfo, since_s: int, until_s: int) -> Iterator[int]:
    """Moments at which the clock is put forward or back."""
    before = since_s
    while before < until_s:
        after = min(before + DAY_S, until_s)
        if _offset(clock, before) != _offset(clock, after):
            yield _first_after(clock, before, after)
        before = after


def _first_after(clock: ZoneInfo, before: int, after: int) -> int:
    old = _offset(clock, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(clock, middle) == old else (before, middle)
    return after


def _offset(clock: ZoneInfo, at_s: int) -> timedelta | None:
    return datetime.fromtimestamp(at_s, UTC).astimezone(clock).utcoffset()


def sendable(quiet: QuietHours, zones: Iterable[str], since_s: int, until_s: int) -> list[Window]:
    """The windows in which something may be granted."""
    return [(begin, end - MARGIN_S) for begin, end in windows(quiet, zones, since_s, until_s) if end - begin > MARGIN_S]


def union(groups: Iterable[Sequence[Window]]) -> list[Window]:
    """Where one of them is open."""
    found: list[Window] = []
    for begin, end in sorted(window for windows in groups for window in windows):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found
