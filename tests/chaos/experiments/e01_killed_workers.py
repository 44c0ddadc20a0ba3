"""1: whichever worker dies, and whenever, nobody gets a message twice and none is lost."""

import asyncio
from typing import Any

from tests.chaos.processes import Process
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import FIRST_LOOK_S, Stage, stage
from volley.sandbox.config import ReceiptSpec

WORKERS = 4


async def _kill_at_random(run: Run, *how: str, **config: Any) -> None:
    kills = run.pick(10, 100)
    seconds = run.pick(20, 300)
    people = run.pick(800, 20_000)
    rate = people * 1.15 / seconds  # every seventh has two parts
    run.settings |= {"workers": WORKERS, "messages": people, "parts_per_s": round(rate, 1), "kills": kills}
    async with stage(senders=8, rate=rate / 5, account_rate=rate, latency_ms=(20, 200), **config) as play:
        await play.serve()
        await play.probe()
        workers = [await play.worker(*how, wait=False) for _ in range(WORKERS)]
        await play.until(lambda: _all_shown(play, WORKERS), "the workers did not start", 30)
        await play.push(people)
        in_flight = 0
        for _ in range(kills):
            await asyncio.sleep(run.dice.uniform(0.2, 1.8) * seconds / kills * 0.9)
            in_flight += await _kill_one(run, play, workers, *how)
        run.did(f"{kills} × kill -9 of one of {WORKERS} workers, {in_flight} messages being sent at those moments")
        await play.drained(seconds + 60)
        unknown = sum(count for status, count in (await play.counts()).items() if status == "unknown")
        if not run.control:
            await play.drained(3 * FIRST_LOOK_S + 60, resolved=True)
            await play.receipted()
        run.figures |= {"unknown_at_the_end_of_sending": unknown, "being_sent_at_kills": in_flight}
        run.expect("unknown is at most what was being sent at the kills", unknown <= in_flight, unknown)
        run.judged(await play.judge(unknown_allowed=run.control))


async def _all_shown(play: Stage, count: int) -> bool:
    return len(await play.outbox.workers()) >= count


async def _kill_one(run: Run, play: Stage, workers: list[Process], *how: str) -> int:
    """Kills one and starts another in its place; how many messages were being sent then."""
    victim = run.dice.randrange(len(workers))
    await workers[victim].kill()
    sending = (await play.counts()).get("sending", 0)
    workers[victim] = await play.worker(*how, wait=False)
    return sending


async def _control(run: Run) -> None:
    """At a carrier that neither reports nor knows keys: each of them would hide it."""
    await _kill_at_random(run, "--without", "unknown", receipts=ReceiptSpec(mode="off"), idempotency="ignored")


@experiment(
    1, "kill -9 of a random worker, again and again", control=_control, without="unknown: reap gives back", reds=("D",)
)
async def killed_workers(run: Run) -> None:
    await _kill_at_random(run)
