"""14: two hundred senders with unlike rates and eight workers keep every rate, and use it."""

import time
from collections.abc import Sequence

from bench.figures import WINDOWS_S, used_share, whole_periods, worst_excess
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.arrivals import read
from volley.sandbox.rates import by_sender, used

RATES = (0.5, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 2.0, 5.0)
"""Parts a second of ten senders; the next ten are alike."""
PERIOD_US = 2_000_000
"""Of the slowest sender."""
SETTLED_S = 5.0
"""What is measured begins this long after the first arrival: the workers have found each other by then."""
LEAST_USED = 0.98
PARTS = 8 / 7
"""Parts of a message on average: every seventh person's text has two."""


async def _play(run: Run, limit: str, seconds: float, *how: str) -> None:
    """`limit`: whether the `senders`' own rates bind, or the `account`'s."""
    senders, workers = run.pick(40, 200), run.pick(3, 8)
    allowed = sum(RATES) / len(RATES) * senders
    account_rate = allowed * (1.5 if limit == "senders" else 0.8)
    binding = min(allowed, account_rate)
    people = int(binding * (SETTLED_S + seconds + 3) / PARTS)
    run.settings |= {"senders": senders, "workers": workers}
    run.settings[f"{limit} bind"] = f"{people} messages, {binding:.0f} of {allowed:.0f} parts/s"
    # nothing dies here: a carrier that waits for its disk would read late what was sent in time
    async with stage(senders=senders, rate=max(RATES), account_rate=account_rate, fsync=False) as play:
        await play.sync({number: RATES[i % len(RATES)] for i, number in enumerate(sorted(play.rates))})
        await play.serve()
        for _ in range(workers):
            await play.worker(*how, wait=False)
        await play.until(lambda: _all_there(play, workers), "the workers did not start", 60)
        await play.push(people)
        began = time.monotonic()
        await play.drained(1.5 * (seconds + SETTLED_S) + 60)
        run.did(f"{people} messages sent in {time.monotonic() - began:.0f} s, {limit} binding")
        await play.receipted(120)
        run.judged(await play.judge(), limit)
        _measure(run, play, limit, seconds)


async def _all_there(play: Stage, count: int) -> bool:
    return len(await play.outbox.workers()) >= count


def _measure(run: Run, play: Stage, limit: str, seconds: float) -> None:
    """Promise 3 at its windows, and how much of what was allowed was used while there was work for all."""
    assert play.config.log is not None
    series = by_sender(each for each in read(play.config.log))
    start_us = series[""][0][0] + int(SETTLED_S * 1e6)
    end_us = whole_periods(start_us, start_us + int(seconds * 1e6), PERIOD_US)
    share = (
        used_share(series, play.rates, start_us, end_us)
        if limit == "senders"
        else used(*series[""], play.account_rate, start_us, end_us)
    )
    run.expect(f"{LEAST_USED:.0%} of the allowed rate is used {limit}", share >= LEAST_USED, f"{share:.4f}")
    run.figures[f"used_{limit}"] = round(share, 4)
    run.figures[f"longest_way_ms_{limit}"] = round(
        max(arrival.wall_us - sent_us for sent_us, arrival in play.ways()) / 1000
    )
    for window_s in _windows(seconds):
        worst = worst_excess(series, {**play.rates, "": play.account_rate}, [window_s])
        run.figures[f"nearest_bound_{limit}_{window_s:.0f}s"] = round(worst.excess.parts, 2)
        run.expect(f"R at {window_s:.0f} s {limit}", worst.excess.kept, f"{worst.excess.parts:+.1f} parts")


def _windows(seconds: float) -> Sequence[float]:
    return [window_s for window_s in WINDOWS_S if window_s <= seconds]


async def _control(run: Run) -> None:
    await _play(run, "account", 10, "--without", "rates")


@experiment(
    14,
    "many senders with unlike rates, many workers",
    control=_control,
    without="the account's rate (three times as fast)",
    reds=("R",),
)
async def many_senders(run: Run) -> None:
    await _play(run, "senders", run.pick(20, 300))
    await _play(run, "account", run.pick(10, 60))
