"""5: Redis is killed and comes back: nothing that it had acknowledged is gone, and sending goes on by itself."""

import asyncio
import contextlib
import time

from tests.chaos.oracle import accepted
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.arrivals import read
from volley.sandbox.config import ReceiptSpec

WORKERS = 2
AGAIN_S = 5.0


async def _kill_redis(run: Run, *, fsync: str = "always", **env: str) -> None:
    kills, pause = run.pick(3, 20), run.pick(3.0, 6.0)
    rate = 60.0
    people = int(rate / 1.15 * kills * (pause + 4))
    run.settings |= {"workers": WORKERS, "messages": people, "parts_per_s": rate, "appendfsync": fsync}
    patient = ReceiptSpec(done_after_s=(0.05, 0.3), attempts=12)  # webhooks that come while Redis is away come again
    async with stage(
        senders=8, rate=rate / 4, account_rate=rate, latency_ms=(20, 200), env=env, receipts=patient
    ) as play:
        if fsync != "always":
            await _weaken(play, fsync)
        await play.serve()
        for _ in range(WORKERS):
            await play.worker()
        await play.push(people)
        waits = []
        for _ in range(kills):
            await asyncio.sleep(run.dice.uniform(0.3, 1.0) * pause)
            waits.append(await _once(run, play))
            if run.control:
                break
        run.did(f"{len(waits)} × kill -9 of Redis, back after 0-2 s")
        if not run.control:
            await play.drained(people / rate * 1.5 + 90)
            await play.receipted()
        run.figures |= {"sending_again_s": [round(wait, 2) for wait in waits]}
        run.expect(
            "it sends again within 5 s of Redis being back", max(waits) <= AGAIN_S, f"{max(waits):.1f} s at most"
        )
        run.judged(await play.judge(unknown_allowed=True))


async def _once(run: Run, play: Stage) -> float:
    """Kills Redis and starts it again; seconds from then until the carrier takes the next message."""
    await play.kill_redis()
    await asyncio.sleep(run.dice.uniform(0.0, 2.0))
    before = _taken(play)
    await play.start_redis()
    back = time.monotonic()

    async def more() -> bool:
        return _taken(play) > before

    with contextlib.suppress(RuntimeError):
        await play.until(more, "nothing is sent", 3 * AGAIN_S, every_s=0.05)
    return time.monotonic() - back


def _taken(play: Stage) -> int:
    return len(accepted(read(play.sandbox.log_path)))


async def _weaken(play: Stage, fsync: str) -> None:
    """Redis again, with what it holds in memory only."""
    await play.valkey.stop()
    play.valkey.appendfsync = fsync
    await play.valkey.start()
    await play.sync(play.rates)


async def _control(run: Run) -> None:
    await _kill_redis(run, fsync="never", VOLLEY_DURABILITY="relaxed")


@experiment(5, "kill -9 of Redis, and back", control=_control, without="an append-only file", reds=("L",))
async def killed_redis(run: Run) -> None:
    await _kill_redis(run)
