"""19: arq's keys are deleted again and again, and jobs are killed six times in a row: work is armed anew within 5 s."""

import asyncio
import contextlib
import signal
import time

from tests.chaos.oracle import accepted
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.arrivals import read
from worker.jobs import SLICE_S

AGAIN_S = 5.0
"""4 s without a sign of life, and the sweeper's second."""
ROUND_S = 1.5
"""What a round of the sweeper, and what arq takes to look at its queue, may add."""
KILLS = 6


async def _wiped(run: Run, *how: str) -> None:
    """Two workers; every key of arq's is deleted over a hundred times a second for a while: a job that is taken in between lives.
    One storm outlasts every slice of a drain.
    """
    long = SLICE_S + 2
    storms = [long] if run.control else [long, *(run.dice.uniform(0.5, long) for _ in range(run.pick(1, 6)))]
    rate = 40.0
    people = int(rate / 1.15 * (sum(storms) + 8 * len(storms)))
    run.settings |= {"workers": 2, "messages": people, "storms_s": [round(storm, 1) for storm in storms]}
    async with stage(senders=8, rate=rate / 4, account_rate=rate) as play:
        await play.serve()
        for _ in range(2):
            await play.worker(*how)
        await play.push(people)
        await play.until_left(people - 100)
        waits, deleted = [], 0
        for storm in storms:
            deleted += await _wipe(play, storm)
            waits.append(await _until_more(play))
            await asyncio.sleep(run.dice.uniform(0.2, 2))
        run.did(f"{deleted} keys of arq's deleted in {len(storms)} storms")
        run.figures["sending_again_s"] = [round(wait, 2) for wait in waits]
        run.expect("armed anew in 5 s after a storm", max(waits) <= AGAIN_S + ROUND_S, f"{max(waits):.1f} s at most")
        if not run.control:
            await play.drained(people / rate + 90)
            await play.receipted()
        run.judged(await play.judge(open_allowed=run.control, priced=not run.control), "wiped")


async def _wipe(play: Stage, seconds: float) -> int:
    deleted, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        names = [name for pattern in ("volley:arq:*", "arq:*") for name in await play.redis.keys(pattern)]
        deleted += await play.redis.delete(*names) if names else 0
        await asyncio.sleep(0.005)
    return deleted


async def _until_more(play: Stage) -> float:
    """Seconds until the carrier takes the next message; three times the limit if it does not."""
    before = _taken(play)

    async def more() -> bool:
        return _taken(play) > before

    with contextlib.suppress(RuntimeError):
        return await play.until(more, "nothing is sent", 3 * AGAIN_S, every_s=0.05)
    return 3 * AGAIN_S


def _taken(play: Stage) -> int:
    assert play.config.log is not None
    return len(accepted(read(play.config.log)))


async def _killed(run: Run) -> None:
    """Whoever takes the job dies of it, six times in a row: first the plan of a campaign, then its drain."""
    for point in ("plan-before", "take-before"):
        async with stage(senders=8, rate=40, account_rate=200) as play:
            await play.serve()
            await play.push(run.pick(300, 1_000))
            waits = []
            for _ in range(KILLS):
                began = time.monotonic()
                victim = await play.worker("--at", point)
                assert await victim.gone() == -signal.SIGKILL
                waits.append(time.monotonic() - began)
            run.did(f"{KILLS} workers killed by one job, at {point}")
            await play.worker()
            waits.append(await _until_more(play))
            run.figures[f"{point}_s"] = [round(wait, 2) for wait in waits]
            limit = AGAIN_S + ROUND_S + 3
            run.expect(
                f"{point}: the next worker has it in 5 s", max(waits) <= limit, f"{max(waits):.1f} s with its start"
            )
            await play.drained()
            await play.receipted()
            run.judged(await play.judge(), point)


@experiment(
    19,
    "arq's keys are deleted, jobs are killed six times",
    control=lambda run: _wiped(run, "--without", "rearming"),
    without="the sweeper's arming",
    reds=("armed",),
)
async def arq_wiped(run: Run) -> None:
    await _wiped(run)
    await _killed(run)
