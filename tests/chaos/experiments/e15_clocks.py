"""15: clocks that are wrong, and clocks that are set while all is running. No rate is exceeded, and nothing waits for long."""

import asyncio
from itertools import pairwise
from typing import cast

from tests.chaos.faketime import SteppedValkey, library, off_by
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.arrivals import read

STEPS = (60, 0, -60, 0)
"""Where the server's clock is set to, one after the other: seconds ahead of the true time."""
HOUR_S = 3600
LONGEST_S = 5.0
"""What a step of the clock may cost at most."""


async def _play(run: Run, *how: str) -> None:
    library()
    gap_s = run.pick(8.0, 25.0)
    rate = run.pick(40.0, 100.0)
    people = int(rate * gap_s * (len(STEPS) + 0.5) * 7 / 8)
    run.settings |= {"messages": people, "parts_per_s": rate, "redis_s": STEPS, "workers_s": (0, HOUR_S, -HOUR_S)}
    async with stage(senders=4, rate=rate / 2, account_rate=rate, valkey=SteppedValkey, fsync=False) as play:
        await play.serve()
        await play.worker(*how, wait=False)
        await play.worker(*how, wait=False, **off_by(HOUR_S))
        await play.worker(*how, wait=False, **off_by(-HOUR_S))
        await play.until(lambda: _all_there(play, 3), "the workers did not start", 30)
        await play.push(people)
        for seconds in STEPS:
            await asyncio.sleep(run.dice.uniform(0.8, 1.2) * gap_s)
            cast("SteppedValkey", play.valkey).set_clock(seconds)
            run.did(f"the clock of Redis set to {seconds:+d} s")
        await play.drained(gap_s * 6 + 300)
        if not run.control:
            await play.receipted()
        run.judged(await play.judge(unknown_allowed=run.control))
        _look_for_stalls(run, play)


async def _all_there(play: Stage, count: int) -> bool:
    return len(await play.outbox.workers()) >= count


def _look_for_stalls(run: Run, play: Stage) -> None:
    assert play.config.log is not None
    times = [each.at_us for each in read(play.config.log)]
    gaps = [(later - earlier) / 1e6 for earlier, later in pairwise(times)]
    longest = max(gaps)
    run.figures["longest_silence_s"] = round(longest, 2)
    run.expect(f"silence of at most {LONGEST_S:.0f} s", longest <= LONGEST_S, f"{longest:.1f} s")


async def _control(run: Run) -> None:
    await _play(run, "--without", "credit")


@experiment(15, "clocks", control=_control, without="the bound of what may be caught up on", reds=("R",))
async def clocks(run: Run) -> None:
    await _play(run)
