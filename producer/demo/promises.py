"""What the carrier's own log says about our promises: never twice, never too fast, the same sender for the same person."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from volley.carrier.reference import reference_in
from volley.sandbox.arrivals import Arrival
from volley.sandbox.rates import SLACK_S, by_sender, max_excess


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


def too_fast(arrivals: Sequence[Arrival], rates: Mapping[str, float], account_rate: float) -> list[str]:
    """The buckets whose rate was exceeded in any window of a second or more: sender numbers, or `account`."""
    limits = {**rates, "": account_rate}
    buckets = by_sender(arrivals)
    return [
        number or "account"
        for number, (times, parts) in buckets.items()
        if not max_excess(times, parts, limits.get(number, 0.0)).kept
    ]


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
    window_s = (arrivals[-1].at_us - arrivals[0].at_us) / 1e6 + SLACK_S
    allowed = rate * window_s + max(each.parts for each in arrivals)
    return sum(each.parts for each in arrivals) / allowed
