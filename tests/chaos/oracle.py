"""The four checks, over three books that were kept apart: the carrier's arrival log, Redis, the ledger.

D nobody twice · L nothing lost and sums equal · R no rate exceeded in any window of a second or more · C parts and cost
equal the carrier's. Pure: reading the books is books.py's affair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from volley.message import MessageId, parse_message_id
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import Price
from volley.sandbox.rates import by_sender, max_excess
from volley.state import STATUS

TAKEN = frozenset({"submitted", "delivered", "undelivered", "unconfirmed"})
"""Statuses that say that the carrier has it."""
DOUBTFUL = "unknown"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One promise and whether it was kept; `found` says what was seen, in one line."""

    name: str
    kept: bool
    found: str


class Row(NamedTuple):
    """What the ledger holds of one message. None: not known there."""

    status: str
    parts: int | None
    cost_micros: int | None
    carrier_id: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """One campaign in Redis: how many were accepted from the producer, and its counters by status."""

    accepted: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Books:
    """`states`: state bytes by message, of chunks that Redis still holds. `ledger` None: nobody keeps one in this run.

    `whole`: campaigns of whose chunks Redis holds all.
    """

    arrivals: Sequence[Arrival]
    tallies: Mapping[str, Tally]
    states: Mapping[MessageId, str] = field(default_factory=dict)
    ledger: Mapping[MessageId, Row] | None = None
    whole: frozenset[str] = frozenset()


def message_of(arrival: Arrival) -> MessageId:
    """The message that a POST was for: its Idempotency-Key is the message's id and a generation."""
    return parse_message_id(arrival.key.rpartition("-g")[0])


def accepted(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """What the carrier took: a replay by key is none, as the first POST was taken already."""
    return [each for each in arrivals if each.result == "accepted"]


def twice(books: Books) -> Check:
    """D: no (campaign, person) and no message was taken more than once."""
    took = accepted(books.arrivals)
    people = Counter((message_of(each).campaign, each.to) for each in took)
    messages = Counter(message_of(each) for each in took)
    wrong = sum(1 for times in people.values() if times > 1)
    again = [f"{name}" for name, times in messages.items() if times > 1]
    found = f"{len(people):,} people reached, {wrong:,} of them twice"
    return Check("D", not wrong and not again, found + _some(again))


def lost(books: Books, *, unknown_allowed: bool = True, open_allowed: bool = False) -> Check:
    """L: sums equal, nothing open, and what each book says of a message agrees with what the carrier took.

    What the carrier took is submitted or better, or unknown (where that is allowed); what it did not take is not.
    """
    wrong = [*_sums(books, open_allowed), *_statuses(books, unknown_allowed)]
    counts: Counter[str] = Counter()
    for tally in books.tallies.values():
        counts.update(tally.counts)
    told = ", ".join(f"{n:,} {status}" for status, n in counts.items() if n)
    total = sum(tally.accepted for tally in books.tallies.values())
    return Check("L", not wrong, f"{total:,} accepted = {told}" + _some(wrong))


def _sums(books: Books, open_allowed: bool) -> Iterable[str]:
    for campaign, tally in books.tallies.items():
        if sum(tally.counts.values()) != tally.accepted:
            yield f"{campaign}: {sum(tally.counts.values())} counted of {tally.accepted}"
        if not open_allowed and tally.counts.get("ready", 0) + tally.counts.get("sending", 0):
            yield f"{campaign}: not drained"
        if books.ledger is not None and not open_allowed:
            known = sum(1 for place in books.ledger if place.campaign == campaign)
            if known != tally.accepted:
                yield f"{campaign}: the ledger knows {known} of {tally.accepted}"
        if campaign in books.whole:
            seen = Counter(STATUS[state] for place, state in books.states.items() if place.campaign == campaign)
            if seen != Counter({status: n for status, n in tally.counts.items() if n}):
                yield f"{campaign}: states {dict(seen)} and counters {dict(tally.counts)} differ"


def _statuses(books: Books, unknown_allowed: bool) -> Iterable[str]:
    took = {message_of(each) for each in accepted(books.arrivals)}
    fine = TAKEN | {DOUBTFUL} if unknown_allowed else TAKEN
    told = {place: STATUS[state] for place, state in books.states.items()}
    for book, statuses in (("Redis", told), ("ledger", _ledger_statuses(books))):
        for place, status in statuses.items():
            if place in took and status not in fine:
                yield f"{place}: the carrier took it, {book} says {status}"
            if place not in took and status in TAKEN:
                yield f"{place}: the carrier did not take it, {book} says {status}"
            if status == DOUBTFUL and not unknown_allowed:
                yield f"{place}: {book} says unknown"
    if books.ledger is not None:
        yield from _unlike(told, books.ledger)
        yield from (f"{place}: the carrier took it, the ledger has no row" for place in took - books.ledger.keys())


def _ledger_statuses(books: Books) -> dict[MessageId, str]:
    return {} if books.ledger is None else {place: row.status for place, row in books.ledger.items()}


def _unlike(told: Mapping[MessageId, str], ledger: Mapping[MessageId, Row]) -> Iterable[str]:
    """Where Redis and the ledger say different things of a message that is at its end."""
    for place, status in told.items():
        row = ledger.get(place)
        if row is not None and row.status != status and not (status in TAKEN and row.status in TAKEN):
            yield f"{place}: Redis says {status}, the ledger {row.status}"


def too_fast(books: Books, rates: Mapping[str, float], account_rate: float) -> Check:
    """R: over any window W ≥ 1 s at most rate × (W + 0.3 s) + the parts of one message, for each sender and the account.

    By what arrived, replays included: they were POSTs too.
    """
    reached = sorted((each for each in books.arrivals if each.result in ("accepted", "replayed")), key=_moment)
    series = by_sender(each._replace(result="accepted", parts=each.parts or 1) for each in reached)
    limits = {**rates, "": account_rate}
    worst = {
        name or "account": max_excess(times, parts, limits[name]) for name, (times, parts) in series.items() if times
    }
    wrong = [
        f"{name}: {excess.parts:.1f} parts too many in {excess.window_s:.1f} s"
        for name, excess in worst.items()
        if not excess.kept
    ]
    most = max((excess.parts for excess in worst.values()), default=0.0)
    return Check("R", not wrong, f"{len(worst)} limits, nearest {most:+.1f} parts" + _some(wrong))


def _moment(arrival: Arrival) -> int:
    return arrival.at_us


def priced(books: Books, price: Price, *, whole: bool = True) -> Check:
    """C: parts and cost of every message in the ledger are the carrier's; `whole` False bears with what it has not said yet."""
    if books.ledger is None:
        return Check("C", True, "no ledger in this run")
    each_micros = int((Decimal(price.rate) + Decimal(price.carrier_fee)) * 1_000_000)
    wrong, equal, silent, total = [], 0, 0, 0
    for arrival in accepted(books.arrivals):
        row = books.ledger.get(message_of(arrival))
        if row is None or row.status == DOUBTFUL:
            continue
        if row.parts is None or row.cost_micros is None:
            silent += 1
        elif (row.parts, row.cost_micros) != (arrival.parts, arrival.parts * each_micros):
            wrong.append(f"{message_of(arrival)}: {row.parts} parts {row.cost_micros} µ, carrier {arrival.parts}")
        else:
            equal += 1
            total += row.cost_micros
    if silent and whole:
        wrong.append(f"{silent} without parts or cost")
    return Check(
        "C", not wrong, f"{equal:,} messages, {Decimal(total) / 1_000_000:.2f} {price.currency}" + _some(wrong)
    )


def identified(books: Books) -> Check:
    """The ledger holds the carrier's own id of every message that the carrier took."""
    ledger = books.ledger or {}
    took = {message_of(each): each.id for each in accepted(books.arrivals)}
    wrong = [f"{place}" for place, name in took.items() if place not in ledger or ledger[place].carrier_id != name]
    return Check(
        "ids", not wrong, f"{len(took) - len(wrong):,} of {len(took):,} known by the carrier's id" + _some(wrong)
    )


def _some(wrong: Sequence[str]) -> str:
    if not wrong:
        return ""
    more = f" and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
    return "; wrong: " + "; ".join(wrong[:_SHOWN]) + more
