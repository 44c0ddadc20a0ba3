"""Our ledger beside the carrier's detail records for a period: what agrees, what differs, and what the records add.

Both sides are read in the same closed slices of time, so that memory holds a few thousand messages however many a day
has. The two clocks differ, and a message is taken a moment after it is sent: ours count as missing only when no record
within a minute is theirs, and the carrier, asked for that very id, has none.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from producer.bill.comparison import KINDS, Difference, Sums, adds, differences, missing_here, missing_there, receipt
from volley.carrier.records_api import DetailRecord, DetailRecords
from volley.ledger.bills import Bills, Ours
from volley.ledger.likely import likely_answers
from volley.outbox.events import ReceiptRecord

Fill = Callable[[list[ReceiptRecord]], Awaitable[None]]
"""Merges what the records add into hot state and ledger."""
Tell = Callable[[Difference], None]

LARGEST = 2_500
"""Messages of either side in one slice, unless a single second has more."""

_SECOND_US = 1_000_000
_HOUR_US = 3_600 * _SECOND_US
_MARGIN_US = 60 * _SECOND_US
_MOST_ASKED = 500
"""So many missing ones are looked up one by one; where more are missing, something larger is wrong."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since_us` on and before `until_us`. Ours younger than `grace_us` at `now_us` may still get their record;
    what is younger than `recorded_us` may not be in our ledger yet.
    """

    since_us: int
    until_us: int
    now_us: int
    grace_us: int
    recorded_us: int


@dataclass(slots=True)
class Outcome:
    """Counts, by the names that stand in the answer's JSON, and the sums."""

    counts: Counter[str] = field(default_factory=Counter)
    sums: Sums = field(default_factory=Sums)

    @property
    def differences(self) -> int:
        return sum(self.counts[kind] for kind in KINDS)


@dataclass(slots=True)
class _Slice:
    since_us: int
    until_us: int
    records: list[DetailRecord]
    ours: list[Ours]


class Reconciliation:
    """One comparison. `fill` None: only looks. `profile`: this one alone."""

    def __init__(
        self,
        bills: Bills,
        records: DetailRecords,
        period: Period,
        *,
        profile: str | None,
        fill: Fill | None,
        tell: Tell,
        largest: int = LARGEST,
    ) -> None:
        self.outcome = Outcome()
        self._bills = bills
        self._records = records
        self._period = period
        self._profile = profile
        self._fill = fill
        self._tell = tell
        self._largest = largest
        self._seen: list[tuple[int, set[str]]] = []
        self._pending: list[Ours] = []
        self._asked = 0

    async def run(self) -> Outcome:
        """Raises what its two sides raise: TryAgainLater, UnusableInput."""
        async for piece in self._slices():
            fresh = self._fresh(piece)
            await self._theirs(fresh)
            self._pending += [each for each in piece.ours if self._wanted(each)]
            await self._settle(piece.until_us - _MARGIN_US)
            self._seen = [(end, ids) for end, ids in self._seen if end > piece.until_us - 3 * _MARGIN_US]
        await self._settle(self._period.until_us + _MARGIN_US)
        return self.outcome

    async def _slices(self) -> AsyncIterator[_Slice]:
        """In order of time, a margin earlier and later than the period. One that is too large is cut into pieces."""
        end = self._period.until_us + _MARGIN_US
        waiting = list(reversed(_cut(self._period.since_us - _MARGIN_US, end, _HOUR_US)))
        while waiting:
            since, until = waiting.pop()
            one_second = until - since <= _SECOND_US
            most = 1 << 62 if one_second else self._largest
            count = await self._bills.count(since, until)
            records = await self._records.slice(since, until, most) if count <= most else count
            if isinstance(records, int):
                pieces = -(-2 * records // self._largest)
                waiting += reversed(_cut(since, until, (until - since) // pieces))
            else:
                yield _Slice(since, until, records, await self._bills.slice(since, until))

    def _fresh(self, piece: _Slice) -> list[DetailRecord]:
        """Records of the period that no earlier slice had, as rounded times may put one into two of them."""
        known = set().union(*(ids for _, ids in self._seen))
        self._seen.append((piece.until_us, {record.uuid for record in piece.records}))
        since, until = self._period.since_us, self._period.until_us
        mine = [
            record for record in piece.records if record.uuid not in known and self._profile in (None, record.profile)
        ]
        return [record for record in mine if since <= record.created_us < until]

    def _wanted(self, ours: Ours) -> bool:
        in_time = self._period.since_us <= ours.submitted_us < self._period.until_us
        return in_time and self._profile in (None, ours.profile)

    async def _theirs(self, records: Sequence[DetailRecord]) -> None:
        counts = self.outcome.counts
        outbound = [record for record in records if record.direction != "inbound"]
        counts["records"] += len(outbound)
        counts["inbound"] += len(records) - len(outbound)
        known = await self._bills.by_carrier_id([record.uuid for record in outbound])
        await self._both([(record, known[record.uuid]) for record in outbound if record.uuid in known])
        await self._foreign([record for record in outbound if record.uuid not in known])

    async def _both(self, pairs: Sequence[tuple[DetailRecord, Ours]]) -> None:
        counts, sums = self.outcome.counts, self.outcome.sums
        added = []
        for record, ours in pairs:
            counts["matched"] += 1
            counts["unpriced"] += record.cost_micros < 0
            for each in differences(record, ours):
                self._count(each)
            new = adds(record, ours)
            counts["filled" if self._fill else "to_fill"] += new
            if new:
                added.append(receipt(record, ours, self._period.now_us))
            cost = record.cost_micros if new and self._fill and record.cost_micros >= 0 else ours.cost_micros
            sums.ours(ours.profile, ours.currency, cost)
            sums.theirs(ours.profile, record.currency or ours.currency, record.cost_micros)
        if added and self._fill:
            await self._fill(added)

    async def _foreign(self, records: Sequence[DetailRecord]) -> None:
        settled = [record for record in records if record.created_us < self._period.recorded_us]
        self.outcome.counts["not_recorded_yet"] += len(records) - len(settled)
        people = {int(record.to[1:]) for record in settled if record.to[:1] == "+" and record.to[1:].isdecimal()}
        answers = likely_answers(settled, await self._bills.unknown(sorted(people)))
        likely = {answer.uuid: answer for answer in answers}
        for record in settled:
            self.outcome.counts["unpriced"] += record.cost_micros < 0
            difference, answer = missing_here(record), likely.get(record.uuid)
            if answer is not None:
                difference |= {"likely_answer": answer.message_id, "only_candidate": answer.alone}
                self.outcome.counts["likely_answers"] += 1
            self._count(difference)
            self.outcome.sums.theirs(record.profile, record.currency, record.cost_micros)

    async def _settle(self, before_us: int) -> None:
        """Ours of before that moment: every record that may be theirs has been seen by now."""
        known = set().union(*(ids for _, ids in self._seen))
        mine = [each for each in self._pending if each.carrier_id not in known]
        self._pending = [each for each in mine if each.submitted_us >= before_us]
        for ours in mine:
            if ours.submitted_us < before_us:
                await self._missing(ours)

    async def _missing(self, ours: Ours) -> None:
        if ours.due_us > self._period.now_us - self._period.grace_us:
            self.outcome.counts["too_early"] += 1
            return
        self._asked += 1
        if ours.carrier_id and self._asked <= _MOST_ASKED and await self._records.find(ours.carrier_id):
            self.outcome.counts["found_elsewhere"] += 1  # its record has another time: another period compares it
            return
        self.outcome.sums.ours(ours.profile, ours.currency, ours.cost_micros)
        self._count(missing_there(ours))

    def _count(self, difference: Difference) -> None:
        self.outcome.counts[difference["kind"]] += 1
        self._tell(difference)


def _cut(since_us: int, until_us: int, size_us: int) -> list[tuple[int, int]]:
    """Pieces on whole seconds of about that size, one second at the least."""
    size = max(size_us // _SECOND_US, 1) * _SECOND_US
    starts = range(since_us, until_us, size)
    return [(start, min(start + size, until_us)) for start in starts]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Every count, also those that are zero."""
    names = ("records", "matched", "filled", "to_fill", *KINDS, "likely_answers", "too_early", "found_elsewhere")
    more = ("not_recorded_yet", "unpriced", "inbound")
    counts = {_WORDS.get(name, name): outcome.counts[name] for name in (*names, *more)}
    return counts | {"sums": outcome.sums.as_json()}


_WORDS = {"parts": "parts_differ", "cost": "cost_differs", "status": "status_differs"}
