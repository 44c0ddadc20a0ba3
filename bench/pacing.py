"""Whether two workers keep to the rates, and use them: from the carrier's log, never from what we believe we did.

    python -m bench.pacing [--quick]

`uneven`: 980 senders at 0.1/s and 20 at 5/s; 70 % of the people are pinned, with a skew, the others may have any sender.
`even`: 20 senders at 5/s. Work exists for a sender while a message waits that it may send: one of the people pinned to
it, or one of those not pinned. The window ends before the last person without a pin is served, so that each sender has
work in all of it, and is a whole number of the slowest sender's periods, so that none is counted half.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from bench.figures import used_share, whole_periods, worst_excess
from bench.people import FIRST
from bench.pins import pin_people, skewed
from bench.rig import Rig
from bench.table import Figure, sizes, tell
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.rates import by_sender

WORKERS = 2
SETTLED_S = 10.0
"""The window begins this long after the first arrival."""


class Case(NamedTuple):
    """`pinned`: how many of ten people have a pin. The account's rate is above all that its senders may send at once."""

    name: str
    rates: Sequence[float]
    account_rate: float
    people: int
    pinned: int
    seconds: float

    @property
    def period_us(self) -> int:
        return round(1e6 / min(self.rates))


UNEVEN = Case("uneven", [0.1] * 980 + [5.0] * 20, 2_000.0, 50_000, 7, 70.0)
EVEN = Case("even", [5.0] * 20, 150.0, 9_000, 0, 60.0)
QUICK = (
    Case("uneven", [0.5] * 98 + [5.0] * 2, 500.0, 4_000, 7, 12.0),
    Case("even", [5.0] * 20, 150.0, 3_000, 0, 10.0),
)


def has_pin(case: Case, to: int) -> bool:
    return to % 10 < case.pinned


class Run(NamedTuple):
    """What reached the carrier within the case's time, the rate of each sender, and whose sender is pinned."""

    arrivals: list[Arrival]
    rates: dict[str, float]
    pins: dict[int, str]


async def run(case: Case) -> Run:
    async with Rig(case.rates, case.account_rate) as bench:
        people = range(FIRST, FIRST + case.people)
        numbers = await bench.outbox.sender_numbers()
        profile = await bench.outbox.profile_index(PROFILE_ID)
        assert profile is not None
        pins = skewed([to for to in people if has_pin(case, to)], sorted(numbers))
        await pin_people(bench.redis, bench.outbox.keys, profile, pins)
        await bench.start_workers(WORKERS)
        await bench.seal(await bench.admit(people))
        await asyncio.sleep(SETTLED_S + case.seconds + 2.0)
        return Run(await bench.arrivals(), bench.rates, {to: numbers[sender] for to, sender in pins})


def broken_pins(found: Run) -> int:
    """Messages that went to a pinned person from another sender than theirs."""
    return sum(found.pins.get(int(each.to), each.sender) != each.sender for each in found.arrivals)


def figures(case: Case, found: Run) -> list[Figure]:
    arrivals, rates = found.arrivals, found.rates
    series = by_sender(arrivals)
    free = [arrival.at_us for arrival in arrivals if not has_pin(case, int(arrival.to))]
    start_us = arrivals[0].at_us + int(SETTLED_S * 1e6)
    end_us = whole_periods(start_us, min(free[-1], start_us + int(case.seconds * 1e6)), case.period_us)
    sender = worst_excess(series, {number: rate for number, rate in rates.items() if number in series})
    account = worst_excess(series, {"": case.account_rate})
    return [
        Figure(f"{case.name}: allowed rate", sum(rates.values()), "parts/s"),
        Figure(f"{case.name}: window with work for every sender", (end_us - start_us) / 1e6, "s"),
        Figure(f"{case.name}: used of the allowed rate", used_share(series, rates, start_us, end_us), least=0.98),
        Figure(f"{case.name}: worst sender over its bound, 1/10/60 s", sender.excess.parts, "parts", most=0),
        Figure(f"{case.name}: account over its bound, 1/10/60 s", account.excess.parts, "parts", most=0),
        Figure(f"{case.name}: senders that sent", len(series) - 1, least=len(rates)),
        Figure(f"{case.name}: people not served by their own sender", broken_pins(found), most=0),
    ]


async def measure(cases: Sequence[Case]) -> list[Figure]:
    told: list[Figure] = []
    for case in cases:
        told += figures(case, await run(case))
    return told


def main() -> None:
    quick = sizes("pacing").quick
    cases = QUICK if quick else (UNEVEN, EVEN)
    notes = ["a bound is rate × (window + 0.3 s) + the parts of one message; below 0 is what was left of it"]
    tell("pacing", asyncio.run(measure(cases)), notes=notes)


if __name__ == "__main__":
    main()
