"""What has gone since this process looked first: sums that only grow, though campaigns come and leave Redis."""

from collections import Counter, deque
from collections.abc import Iterable

from producer.sight.portrait import spent_micros
from volley.outbox.views import CampaignView

LATELY_S = 60.0
_LEAST_S = 5.0


class Totals:
    """`parts` by profile, `messages` by status (as they came to it), `spent` in micro-units by currency."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self._known: dict[str, tuple[int, dict[str, int], int]] = {}
        self._last: dict[str, CampaignView] = {}
        self._marks: deque[tuple[int, dict[str, int]]] = deque()
        self._begun = False

    def add(self, views: Iterable[CampaignView], now_us: int) -> None:
        """What these campaigns have come to since the last call. What stood at the first call is where all begins."""
        before_them, self._last = self._last, {}
        for view in views:
            self._last[view.campaign.id] = view
            if before_them.get(view.campaign.id) is view:
                continue  # the very same: nothing of it has changed
            now = (view.sent_parts, view.counts, spent_micros(view))
            self._grow(view, self._known.get(view.campaign.id, (0, {}, 0) if self._begun else now))
            self._known[view.campaign.id] = now
        self._begun = True
        self._mark(now_us)

    def add_once(self, views: Iterable[CampaignView]) -> None:
        """All of campaigns that came after the first call of `add` and are over: they are not looked at again, nor remembered."""
        for view in views:
            self._grow(view, (0, {}, 0))

    def _grow(self, view: CampaignView, before: tuple[int, dict[str, int], int]) -> None:
        profile, currency = view.campaign.profile, view.campaign.currency
        self.parts[profile] += max(0, view.sent_parts - before[0])
        self.spent[currency] += max(0, spent_micros(view) - before[2])
        for status, count in view.counts.items():
            if count > before[1].get(status, 0):
                self.messages[status] += count - before[1].get(status, 0)

    def forget(self, kept: Iterable[str]) -> None:
        """Campaigns that are not among these are looked at no more."""
        wanted = set(kept)
        self._known = {name: known for name, known in self._known.items() if name in wanted}

    def _mark(self, now_us: int) -> None:
        self._marks.append((now_us, dict(self.spent)))
        while len(self._marks) > 2 and self._marks[1][0] <= now_us - int(LATELY_S * 1e6):
            self._marks.popleft()

    def per_minute(self, currency: str) -> int | None:
        """Micro-units a minute over the last one; None before it has been looked at for some seconds."""
        (then_us, then), (now_us, now) = self._marks[0], self._marks[-1]
        passed_s = (now_us - then_us) / 1e6
        if passed_s < _LEAST_S:
            return None
        return round((now.get(currency, 0) - then.get(currency, 0)) * 60 / passed_s)
