"""Quiet hours at intake: who may get something at the same moments goes into the same chunk; who never may is told so."""

import time
from collections.abc import Sequence

from producer.push.request import PushRequest
from volley.errors import RowError
from volley.hours import DAY_S, QuietHours, Window, parse, sendable, zone
from volley.outbox.hours import joined
from volley.settings import Settings
from volley.zones import zones_of

NONE = "none"
_FARTHEST_S = 35 * DAY_S
_LEAST_S = 2 * DAY_S


def hours_of(request: PushRequest, settings: Settings) -> str:
    """The quiet hours of a push: its own, else the account's; '' where there are none."""
    asked = settings.quiet_hours if request.quiet_hours is None else request.quiet_hours
    return "" if asked == NONE else asked


class Zoning:
    """Groups people of one push by their windows. `moment_s`: when the carrier sends, if it keeps the messages until then (0: it
    does not): that must not be quiet, and nothing else is asked.
    """

    def __init__(self, hours: str, since_s: int, until_s: int, moment_s: int = 0) -> None:
        self._hours: QuietHours = parse(hours)
        self._since_s = since_s
        self._until_s = until_s
        self._moment_s = moment_s
        self._by_zones: dict[tuple[str, ...], int | str] = {}
        self._by_windows: dict[tuple[Window, ...], int] = {}
        self._groups: list[set[str]] = []

    @property
    def groups(self) -> tuple[str, ...]:
        """The zones of each group; people of one have the same windows as far as this push is looked ahead."""
        return tuple(joined(group) for group in self._groups)

    def group_of(self, to: int, cell: str | None) -> int:
        """Raises RowError: no zone is known, or nothing could ever be sent."""
        names = (zone(cell.strip()).key,) if cell and not cell.isspace() else zones_of(to)
        found = self._by_zones.get(names)
        if found is None:
            found = self._by_zones[names] = self._grouped(names)
        if isinstance(found, str):
            raise RowError(found)
        return found

    def _grouped(self, names: tuple[str, ...]) -> int | str:
        """The group, or why there is none."""
        if self._moment_s:
            open_then = sendable(self._hours, names, self._moment_s - DAY_S, self._moment_s + DAY_S)
            inside = any(begins <= self._moment_s < ends for begins, ends in open_then)
            return 0 if inside else "the moment at which it is to go lies in its quiet hours"
        found = tuple(sendable(self._hours, names, self._since_s, self._until_s))
        if not found:
            return self._never(names)
        group = self._by_windows.setdefault(found, len(self._groups))
        if group == len(self._groups):
            self._groups.append(set())
        self._groups[group].update(names)
        return group

    def _never(self, names: Sequence[str]) -> str:
        if sendable(self._hours, names, self._since_s, self._since_s + _LEAST_S):
            return "the push expires before its quiet hours end"
        return "it may be in time zones that are never outside the quiet hours together: add a column `zone`, as in Europe/Berlin"


def zoning(request: PushRequest, settings: Settings, expires_us: int) -> Zoning | None:
    """None where the push has no quiet hours."""
    hours = hours_of(request, settings)
    if not hours:
        return None
    starts_s = int(max(time.time(), request.start.timestamp() if request.start else 0))
    until_s = min(expires_us // 1_000_000, starts_s + _FARTHEST_S) if expires_us else starts_s + _LEAST_S
    moment_s = int(request.send_at.timestamp()) if request.send_at else 0
    return Zoning(hours, starts_s, until_s, moment_s)
