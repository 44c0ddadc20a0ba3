"""Whether what arrived kept to a rate: never too fast over any window, and how much of what was allowed was used.

The promise: over any window W of at least 1 s, at most rate × (W + 0.3 s) + the parts of one message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from volley.sandbox.arrivals import Arrival

SLACK_S = 0.3
SHORTEST_S = 1.0


@dataclass(frozen=True, slots=True)
class Excess:
    """The worst window: `parts` above what the promise allows there (0 or less: kept), its length and its first moment."""

    parts: float
    window_s: float
    start_us: int

    @property
    def kept(self) -> bool:
        return self.parts <= 0


def max_excess(
    times_us: Sequence[int], parts: Sequence[int], rate: float, windows_s: Sequence[float] | None = None
) -> Excess:
    """The worst closed window against `rate` parts/s. `times_us` ascend; `windows_s` None looks at every W ≥ 1 s.

    "One message" is the largest that arrived.
    """
    if not times_us:
        return Excess(0.0, SHORTEST_S, 0)
    _check(times_us, parts)
    if windows_s is None:
        worst = max(_of_window(times_us, parts, rate, SHORTEST_S), _of_longer(times_us, parts, rate), key=_parts)
    else:
        worst = max((_of_window(times_us, parts, rate, window) for window in windows_s), key=_parts)
    return Excess(worst.parts - rate * SLACK_S - max(parts), worst.window_s, worst.start_us)


def used(
    times_us: Sequence[int], parts: Sequence[int], rate: float, start_us: int | None = None, end_us: int | None = None
) -> float:
    """The share of the allowed rate that was used between two moments (1.0 is all of it).

    Without moments: from the first message to the last, whose own parts then count for what comes after it.
    """
    _check(times_us, parts)
    start = (times_us[0] if times_us else 0) if start_us is None else start_us
    end = (times_us[-1] if times_us else 0) if end_us is None else end_us
    sent = sum(count for at, count in zip(times_us, parts, strict=True) if start <= at < end)
    return sent / (rate * (end - start) / 1e6) if end > start else 0.0


def by_sender(arrivals: Iterable[Arrival]) -> dict[str, tuple[list[int], list[int]]]:
    """Times and parts of what was accepted, for each sender and, under "", for all together."""
    series: dict[str, tuple[list[int], list[int]]] = {"": ([], [])}
    for arrival in arrivals:
        if arrival.result == "accepted":
            for times, parts in (series[""], series.setdefault(arrival.sender, ([], []))):
                times.append(arrival.at_us)
                parts.append(arrival.parts)
    return series


def _check(times_us: Sequence[int], parts: Sequence[int]) -> None:
    if len(times_us) != len(parts):
        raise ValueError("times and parts differ in length")
    if any(later < earlier for earlier, later in pairwise(times_us)):
        raise ValueError("times must ascend")


def _parts(excess: Excess) -> float:
    return excess.parts


def _of_window(times_us: Sequence[int], parts: Sequence[int], rate: float, window_s: float) -> Excess:
    """Parts above rate × W in the fullest closed window of this length."""
    worst = Excess(float("-inf"), window_s, 0)
    length_us = window_s * 1e6
    total = first = 0
    for last, at in enumerate(times_us):
        total += parts[last]
        while at - times_us[first] > length_us:
            total -= parts[first]
            first += 1
        if total - rate * window_s > worst.parts:
            worst = Excess(total - rate * window_s, window_s, times_us[first])
    return worst


def _of_longer(times_us: Sequence[int], parts: Sequence[int], rate: float) -> Excess:
    """The same for every length above 1 s at once.

    A window from arrival i to arrival j is worst when it is no longer than they are apart: parts(i..j) − rate × (t_j − t_i).
    Split in what depends on j and what on i, the best i so far is a running minimum.
    """
    worst = Excess(float("-inf"), SHORTEST_S, 0)
    begin_us, sums, total = times_us[0], 0, 0
    opening, opened_us, candidate = float("inf"), begin_us, 0
    for last, at in enumerate(times_us):
        total += parts[last]
        while at - times_us[candidate] > SHORTEST_S * 1e6:
            before = sums - rate * (times_us[candidate] - begin_us) / 1e6
            if before < opening:
                opening, opened_us = before, times_us[candidate]
            sums += parts[candidate]
            candidate += 1
        excess = total - rate * (at - begin_us) / 1e6 - opening
        if excess > worst.parts:
            worst = Excess(excess, (at - opened_us) / 1e6, opened_us)
    return worst
