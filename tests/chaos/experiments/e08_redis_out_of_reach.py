"""8: workers cannot reach Redis, reach it slowly, or it does not say that a write is on its disk."""

import asyncio
import contextlib
import time

from tests.chaos.oracle import accepted
from tests.chaos.proxy import Way
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.arrivals import Arrival, read

WORKERS = 2
RATE = 60.0
LAST_WORD_S = 0.5
"""A grant's horizon and its patience, and the way to the carrier: later than this nothing of an earlier take is posted."""
AGAIN_S = 10.0
"""A connection is given up after 5 s, and the next take is made."""


async def _open(run: Run, play: Stage, seconds: float, *how: str) -> None:
    await play.serve()
    for _ in range(WORKERS):
        await play.worker(*how)
    await play.push(int(RATE / 1.15 * seconds))
    await play.until_left(int(RATE / 1.15 * seconds * 0.95))


async def _silence(play: Stage, began: float, ended: float) -> int:
    """POSTs that reached the carrier while they should not (monotonic s)."""
    return sum(1 for each in _arrivals(play) if began + LAST_WORD_S < each.at_us / 1e6 < ended)


def _arrivals(play: Stage) -> list[Arrival]:
    return accepted(read(play.sandbox.log_path))


async def _again(play: Stage, since: float) -> float:
    """Seconds from then until the carrier takes a message."""

    async def more() -> bool:
        return any(each.at_us / 1e6 > since for each in _arrivals(play))

    with contextlib.suppress(RuntimeError):
        await play.until(more, "nothing is sent", 30)
    return min((each.at_us / 1e6 - since for each in _arrivals(play) if each.at_us / 1e6 > since), default=30.0)


async def _end(run: Run, play: Stage, case: str, *how: str) -> None:
    await play.drained(120)
    await play.receipted()
    unknown = (await play.counts()).get("unknown", 0)
    run.figures[f"unknown after {case}"] = unknown
    run.judged(await play.judge(unknown_allowed=True), case)


async def _black_hole(run: Run) -> None:
    hole_s = run.pick(6.0, 30.0)
    async with stage(senders=8, rate=RATE / 4, account_rate=RATE, between=("worker-redis",)) as play:
        await _open(run, play, 10)
        way = play.proxies["worker-redis"]
        way.set(Way(hold=True), Way(hold=True))
        began = time.monotonic()
        await asyncio.sleep(hole_s)
        late = await _silence(play, began, time.monotonic())
        way.clear()
        wait = await _again(play, time.monotonic())
        run.did(f"Redis black-holed for {hole_s:.0f} s, what was held came then")
        run.figures["sending_again_s"] = round(wait, 2)
        run.expect("black hole: no POST without its barrier", late == 0, late)
        run.expect("black hole: it sends again", wait <= AGAIN_S, f"after {wait:.1f} s")
        await _end(run, play, "black hole")


async def _slow_and_broken(run: Run) -> None:
    resets, seconds = run.pick(4, 40), run.pick(8, 60)
    async with stage(senders=8, rate=RATE / 4, account_rate=RATE, between=("worker-redis",)) as play:
        await _open(run, play, seconds)
        way = play.proxies["worker-redis"]
        way.set(Way(delay_s=0.1), Way(delay_s=0.1))
        for _ in range(resets):
            await asyncio.sleep(run.dice.uniform(0.2, 1.8) * seconds / resets)
            way.reset_all()
        run.did(f"200 ms to Redis and back, {resets} × all connections reset")
        await _end(run, play, "slow and broken")


async def _no_disk(run: Run, *how: str) -> None:
    """The server answers at once and writes nothing down, as with a disk that hangs: WAITAOF says no."""
    away_s = run.pick(4.0, 20.0)
    async with stage(senders=8, rate=RATE / 4, account_rate=RATE) as play:
        await _open(run, play, 8 + away_s, *how)
        await play.redis.config_set("appendfsync", "no")
        began = time.monotonic()
        await asyncio.sleep(away_s)
        late = await _silence(play, began, time.monotonic())
        await play.redis.config_set("appendfsync", "always")
        wait = await _again(play, time.monotonic())
        run.did(f"for {away_s:.0f} s Redis confirms nothing")
        run.expect("no disk: no POST without its barrier", late == 0, late)
        run.expect("no disk: it sends again", wait <= AGAIN_S, f"after {wait:.1f} s")
        await _end(run, play, "no disk")


async def _control(run: Run) -> None:
    await _no_disk(run, "--without", "barrier")


@experiment(
    8,
    "Redis black-holed; 200 ms away and reset; without its disk",
    control=_control,
    without="the barrier",
    reds=("no",),
)
async def redis_out_of_reach(run: Run) -> None:
    run.settings |= {"workers": WORKERS, "parts_per_s": RATE}
    cases = (_black_hole(run), _slow_and_broken(run), _no_disk(run))
    if run.short:
        await asyncio.gather(*cases)
    else:
        for case in cases:
            await case
