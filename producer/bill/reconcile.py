"""`volley reconcile`: a period, both sides of its bill, and what is to be done about it. The comparison: reconciliation.py."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time_ns
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.bill.closing import close_stuck
from producer.bill.comparison import Difference
from producer.bill.filling import Filling
from producer.bill.reconciliation import Outcome, Period, Reconciliation, as_json
from producer.carrier import carrier
from producer.records import ledger
from volley.carrier.records_api import DetailRecords
from volley.errors import UnusableInput
from volley.ledger.bills import Bills
from volley.ledger.stream import LedgerStream
from volley.outbox.outbox import Outbox
from volley.outbox.pushes import unknown_profile
from volley.settings import Settings

SHOWN = 20
"""Differences in the answer; all of them go to `--out`."""

_SECOND_US = 1_000_000
_LAG_US = 60 * _SECOND_US
"""Younger records are not asked for: the list must hold still while its pages are read."""
_RECORDING_US = 5 * _SECOND_US
_BEHIND_S = 10.0
_MOVED_ON_S = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. Moments in µs; `until_us` None: up to now. `grace_us`: how long a record may take to appear."""

    since_us: int
    until_us: int | None
    profile: str | None
    fix: bool
    grace_us: int
    out: Path | None = None


def days_ago(days: int, now: datetime | None = None) -> int:
    """µs at which the day (UTC) began that lies so many days back."""
    today = (now or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((today - timedelta(days=days)).timestamp()) * _SECOND_US


async def reconcile(settings: Settings, outbox: Outbox, wish: Wish) -> dict[str, Any]:
    """The answer as it is printed; `agree` says whether there was any difference.

    Raises:
        UnusableInput: no API key, a period that has not begun, a profile that neither side has, a file that cannot be written.
        TryAgainLater: Redis, the ledger or the carrier is away.
    """
    lag_s = await LedgerStream(outbox.redis, outbox.keys.ledger, "reconcile").lag_seconds()
    period = _period(wish, time_ns() // 1000, lag_s)
    async with ledger(settings) as engine, carrier(settings.current) as api:
        with Differences(wish.out) as found:
            fill = Filling(outbox).add if wish.fix else None
            records = DetailRecords(api, wish.profile)
            work = Reconciliation(Bills(engine), records, period, profile=wish.profile, fill=fill, tell=found.add)
            outcome = await work.run()
        if wish.profile and not outcome.sums.as_json() and await outbox.profile_index(wish.profile) is None:
            raise unknown_profile(wish.profile)
        closed = await _close(settings, outbox, engine, outcome) if wish.fix else 0
    return (
        _answer(wish, period, outcome, found)
        | {"closed": closed, "ledger_lag_seconds": round(lag_s, 3)}
        | {"notes": _notes(outcome, lag_s)}
    )


def _period(wish: Wish, now_us: int, lag_s: float) -> Period:
    end = min(now_us if wish.until_us is None else wish.until_us, now_us - min(_LAG_US, wish.grace_us))
    since, until = (moment // _SECOND_US * _SECOND_US for moment in (wish.since_us, end))
    if since >= until:
        raise UnusableInput(
            "the period is empty, or began less than a minute ago: --since 2030-01-31 --until 2030-02-01"
        )
    recorded_us = now_us - int(lag_s * _SECOND_US) - _RECORDING_US if lag_s else now_us
    return Period(since, until, now_us, wish.grace_us, recorded_us)


async def _close(settings: Settings, outbox: Outbox, engine: AsyncEngine, outcome: Outcome) -> int:
    if outcome.counts["filled"]:
        # what a record has just completed needs no closing
        await Filling(outbox, patience_s=_MOVED_ON_S).recorded()
    return await close_stuck(outbox, engine, settings.unconfirmed_hours)


def _answer(wish: Wish, period: Period, outcome: Outcome, found: "Differences") -> dict[str, Any]:
    return {
        "since": _iso(period.since_us),
        "until": _iso(period.until_us),
        "profile": wish.profile,
        "fix": wish.fix,
        "agree": not outcome.differences and not outcome.counts["to_fill"],
        **as_json(outcome),
        "differences": found.first,
    }


def _notes(outcome: Outcome, lag_s: float) -> list[str]:
    counts = outcome.counts
    notes = []
    if lag_s > _BEHIND_S:
        notes.append(
            f"the ledger is {lag_s:.0f} s behind Redis: what it does not have yet is not compared; see that volley serve runs"
        )
    if counts["not_recorded_yet"]:
        notes.append(f"{counts['not_recorded_yet']} records are newer than what the ledger has: reconcile again later")
    if counts["too_early"]:
        notes.append(f"{counts['too_early']} messages have no record yet and are too young to be missed (--grace)")
    if counts["unpriced"]:
        notes.append(f"{counts['unpriced']} records name no cost: the carrier's sums are without them")
    if counts["likely_answers"]:
        notes.append("records without a message of ours may be those of unknown messages: see likely_answer")
    return notes


class Differences:
    """Keeps the first few, and writes all of them to a file, a JSON object a line."""

    def __init__(self, out: Path | None) -> None:
        self.first: list[Difference] = []
        self._out = out
        self._stack = ExitStack()

    def __enter__(self) -> "Differences":
        try:
            self._file = self._stack.enter_context(self._out.open("wb")) if self._out else None
        except OSError as error:
            raise UnusableInput(f"{self._out}: {error.strerror}; name another file") from None
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def add(self, difference: Difference) -> None:
        if len(self.first) < SHOWN:
            self.first.append(difference)
        if self._file:
            self._file.write(orjson.dumps(difference) + b"\n")


def _iso(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / 1e6, UTC).isoformat().replace("+00:00", "Z")
