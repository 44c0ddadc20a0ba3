"""4: workers are told to end, one after the other, under load: nothing becomes unknown and nothing is posted again."""

import asyncio
import signal
import time
from collections import Counter

from tests.chaos.oracle import message_of
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import HTTP_TIMEOUT_S, stage

WORKERS = 3
MARGIN_S = 5.0


async def _roll(run: Run, how: signal.Signals) -> None:
    turns, people, rate = run.pick(6, 30), run.pick(900, 6_000), run.pick(60.0, 60.0)
    run.settings |= {"workers": WORKERS, "messages": people, "parts_per_s": rate, "answers_after_ms": "100-700"}
    async with stage(senders=8, rate=rate, account_rate=rate, latency_ms=(100, 700)) as play:
        await play.serve()
        workers = [await play.worker() for _ in range(WORKERS)]
        await play.push(people)
        ends, codes = [], Counter[int]()
        for turn in range(turns):
            await asyncio.sleep(run.dice.uniform(0.3, 1.5))
            leaving = workers[turn % WORKERS]
            began = time.monotonic()
            leaving.signal(how)
            codes[await leaving.gone()] += 1
            ends.append(time.monotonic() - began)
            workers[turn % WORKERS] = await play.worker()
        run.did(f"{turns} × {how.name} of one worker, another in its place")
        await play.drained(people / rate * 1.3 + 60)
        counts = await play.counts()
        books = await play.books()
        posts = Counter(message_of(each) for each in books.arrivals)
        again = sum(1 for times in posts.values() if times > 1)
        run.figures["longest_end_s"] = round(max(ends), 2)
        run.expect("nothing is unknown", not counts.get("unknown"), counts.get("unknown", 0))
        run.expect("nothing is posted again", not again, f"{len(books.arrivals)} POSTs for {len(posts)} messages")
        run.expect("each ends within HTTP timeout + 5 s", max(ends) <= HTTP_TIMEOUT_S + MARGIN_S, f"{max(ends):.1f} s")
        run.expect("each exits with 0", set(codes) == {0}, dict(codes))
        await play.receipted()
        run.judged(await play.judge())


async def _control(run: Run) -> None:
    await _roll(run, signal.SIGKILL)


@experiment(4, "rolling SIGTERM under load", control=_control, without="an orderly end: SIGKILL")
async def rolling_restart(run: Run) -> None:
    await _roll(run, signal.SIGTERM)
