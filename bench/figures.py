"""From arrivals to figures: pure, so that a wrong figure can be found by a test."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from volley.sandbox.rates import Excess, max_excess

Series = Mapping[str, tuple[Sequence[int], Sequence[int]]]
"""Times (µs, ascending) and parts by sender; "" is all together. See rates.by_sender."""

WINDOWS_S = (1.0, 10.0, 60.0)


def span_rate(times_us: Sequence[int]) -> float:
    """Messages a second from the first arrival to the last, in between which all but one of them were sent."""
    span_us = max(times_us) - min(times_us) if times_us else 0
    return (len(times_us) - 1) / (span_us / 1e6) if span_us else 0.0


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed.

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


class Worst(NamedTuple):
    """The bucket that came closest to its bound, or went over it."""

    bucket: str
    excess: Excess


def worst_excess(series: Series, rates: Mapping[str, float], windows_s: Sequence[float] = WINDOWS_S) -> Worst:
    """Promise 3 over these windows: every bucket of `rates` ("" is the account) against its own rate, parts/s.

    Raises:
        KeyError: a bucket of which nothing arrived at all.
    """
    found = [Worst(name, max_excess(*series[name], rate, windows_s)) for name, rate in rates.items()]
    return max(found, key=lambda worst: worst.excess.parts)


def used_share(series: Series, rates: Mapping[str, float], start_us: int, end_us: int) -> float:
    """What senders sent between two moments, of what their own rates allow them there; "" is left out."""
    allowed = sum(rate for name, rate in rates.items() if name) * (end_us - start_us) / 1e6
    sent = sum(_sent(*series[name], start_us, end_us) for name in rates if name and name in series)
    return sent / allowed if allowed > 0 else 0.0


def _sent(times_us: Sequence[int], parts: Sequence[int], start_us: int, end_us: int) -> int:
    return sum(parts[bisect_left(times_us, start_us) : bisect_left(times_us, end_us)])


def whole_periods(start_us: int, end_us: int, period_us: int) -> int:
    """The end of the last whole period after `start_us`: a window of whole periods has no half-used message in it."""
    return start_us + (end_us - start_us) // period_us * period_us


def shares(counts: Sequence[int], weights: Sequence[float] | None = None) -> list[float]:
    """Each one's count over what its weight entitles it to; 1.0 is exactly fair."""
    weights = weights or [1.0] * len(counts)
    fair = sum(counts) / sum(weights)
    return [count / (fair * weight) if fair else 0.0 for count, weight in zip(counts, weights, strict=True)]


def beside(values: Sequence[float]) -> list[float]:
    """Of values in turns, one of the plain kind at either end: each of the other kind over the mean of the two around it."""
    return [values[n] * 2 / (values[n - 1] + values[n + 1]) for n in range(1, len(values) - 1, 2)]
