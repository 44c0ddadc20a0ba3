"""What the carrier's own log says about our promises: never twice, never too fast, the same sender for the same person."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from volley.carrier.reference import reference_in
from volley.sandbox.arrivals import Arrival

TOLERANCE_US = 300_000
"""Promise 3: over any window W ≥ 1 s at most rate × (W + 0.3 s) + the parts of one message."""

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One promise and whether it was kept; `found` says what was seen."""

    name: str
    kept: bool
    found: str


def campaign_of(arrival: Arrival) -> str:
    """The campaign that a send belongs to, by the reference in its webhook URL."""
    return reference_in(arrival.reference).split("-", 1)[0]


def twice(arrivals: Iterable[Arrival]) -> int:
    """How many (campaign, person) pairs the carrier accepted more than once."""
    seen = Counter((campaign_of(each), each.to) for each in arrivals if each.result == "accepted")
    return sum(1 for times in seen.values() if times > 1)


def excess(arrivals: Sequence[Arrival], rate: float) -> float:
    """The most parts by which any window of a second or more went over its allowance; 0 or less: none did.

    `arrivals` in the order of their time, all from one bucket of `rate` parts/s.
    """
    if not arrivals:
        return 0.0
    per_us = rate / _SECOND_US
    slack = per_us * TOLERANCE_US + max(each.parts for each in arrivals)
    worst, total, least = float("-inf"), 0, float("inf")
    recent: deque[tuple[int, int]] = deque()
    for each in arrivals:
        recent.append((each.at_us, total))
        total += each.parts
        # windows of a second and more: the best start is the least of what was used before it, less its own allowance
        while recent and each.at_us - recent[0][0] >= _SECOND_US:
            at_us, before = recent.popleft()
            least = min(least, before - per_us * at_us)
        worst = max(worst, total - per_us * each.at_us - least - slack)
        if recent:  # shorter ones count as a second
            worst = max(worst, total - recent[0][1] - per_us * _SECOND_US - slack)
    return worst


def too_fast(arrivals: Sequence[Arrival], rates: Mapping[str, float], account_rate: float) -> list[str]:
    """The buckets whose rate was exceeded: sender numbers, or `account`."""
    by_sender: dict[str, list[Arrival]] = {}
    for each in arrivals:
        by_sender.setdefault(each.sender, []).append(each)
    found = [number for number, theirs in by_sender.items() if excess(theirs, rates.get(number, 0.0)) > 0]
    return [*found, "account"] if excess(arrivals, account_rate) > 0 else found


def pins_held(arrivals: Iterable[Arrival], first: str, second: str) -> tuple[int, int]:
    """Of the people that both campaigns reached: (how many got the same sender again, how many there are)."""
    senders: dict[str, dict[str, str]] = {first: {}, second: {}}
    for each in arrivals:
        if each.result == "accepted" and campaign_of(each) in senders:
            senders[campaign_of(each)][each.to] = each.sender
    both = senders[first].keys() & senders[second].keys()
    return sum(senders[first][to] == senders[second][to] for to in both), len(both)


def rate_used(arrivals: Sequence[Arrival], rate: float) -> float:
    """Parts that went, of those that promise 3 allows between the first arrival and the last."""
    if not arrivals:
        return 0.0
    window_us = arrivals[-1].at_us - arrivals[0].at_us + TOLERANCE_US
    allowed = rate * window_us / _SECOND_US + max(each.parts for each in arrivals)
    return sum(each.parts for each in arrivals) / allowed
