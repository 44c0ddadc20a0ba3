"""26: workers of an earlier release beside those of this one, on the same data; and what a later release writes is left to it.

OLD=<revision> names the earlier release; without it the last revision in which worker/ or volley/ was another.
"""

import asyncio
import os
import subprocess
from pathlib import Path

from tests.chaos.processes import ROOT, Process
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.config import ReceiptSpec

PACKAGES = ("volley", "worker", "producer")
NEWER = b"\x09"
"""A version byte that no release has yet."""


def _git(*words: str) -> str:
    done = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"git {words[0]}: {done.stderr.strip()}; this experiment needs the repository with its history"
        )
    return done.stdout.strip()


def _checked_out(folder: Path) -> tuple[str, Path]:
    """The earlier release's revision, and where its code lies."""
    revision = os.environ.get("OLD") or _git("log", "-2", "--format=%H", "--", "worker", "volley").split()[-1]
    code = folder / "old"
    code.mkdir()
    archive = subprocess.run(("git", "archive", revision, *PACKAGES), cwd=ROOT, capture_output=True, check=True)
    subprocess.run(("tar", "-x", "-C", str(code)), input=archive.stdout, check=True)
    return _git("rev-parse", "--short", revision), code


async def _side_by_side(run: Run) -> None:
    people, rate = run.pick(600, 6_000), 60.0
    kills = run.pick(4, 40)
    async with stage(senders=4, rate=rate / 2, account_rate=rate, latency_ms=(20, 200)) as play:
        revision, code = _checked_out(play.folder)
        run.settings |= {"old": revision, "workers": "2 old, 2 new", "messages": people, "kills": kills}
        old = {"PYTHONPATH": str(code)}
        await play.serve()
        workers = [(await play.worker(wait=False, **env), env) for env in (old, {}, old, {})]
        await play.until(lambda: _all_there(play), "the workers did not start", 60)
        for _ in range(3):
            await play.push(people // 3)
        for _ in range(kills):
            await asyncio.sleep(run.dice.uniform(0.2, 1.8) * people / rate / kills)
            turn = run.dice.randrange(len(workers))
            worker, env = workers[turn]
            await worker.kill()
            workers[turn] = (await play.worker(wait=False, **env), env)
        run.did(f"{kills} × kill -9 of an old or a new worker")
        ended = [worker.name for worker, _ in workers if not worker.alive]
        run.expect("all go on", not ended, f"{len(ended)} ended by themselves")
        await play.drained(people / rate * 2 + 90)
        await play.receipted()
        run.figures["unknown, side by side"] = (await play.counts()).get("unknown", 0)
        run.judged(await play.judge(unknown_allowed=True), "side by side")


async def _all_there(play: Stage) -> bool:
    return len(await play.outbox.workers()) >= 4


async def _newer_chunk(run: Run, *how: str) -> None:
    """It waits where it is, with a sentence in the log; when a release comes that can read it, all of it goes."""
    async with stage() as play:
        await play.serve()
        campaign = (await play.push(40)).campaign_id
        key = play.outbox.keys.chunk(campaign or "", 0)
        held = await play.redis.get(key)
        await play.redis.set(key, NEWER + held[1:])
        worker = await play.worker(*how)
        if not run.control:
            await _says(run, play, worker, "a chunk is of version 9")
        await asyncio.sleep(1 if not run.control else 5)
        run.expect("a newer chunk: nothing of it moves", await play.counts() == {"ready": 40}, await play.counts())
        await play.redis.set(key, held)
        await play.worker()
        await play.drained()
        await play.receipted()
        run.judged(await play.judge(unknown_allowed=True), "newer chunk")


async def _newer_flight(run: Run) -> None:
    async with stage(latency_ms=(400, 500)) as play:
        await play.serve()
        await play.push(40)
        first = await play.worker()
        await play.until_left(30)
        await first.kill()
        flights = await play.redis.zrange(play.outbox.keys.of("flights"), 0, -1)
        assert flights, "nothing was in flight when the worker died"
        keys = [play.outbox.keys.of("flight", token.decode()) for token in flights]
        held = [await play.redis.get(key) for key in keys]
        for key, packed in zip(keys, held, strict=True):
            await play.redis.set(key, NEWER + packed[1:])
        in_flight = (await play.counts())["sending"]
        worker = await play.worker()
        await _says(run, play, worker, "flights are of a newer release")
        left = (await play.counts())["sending"]
        run.expect("a newer flight: its messages stay in it", left >= in_flight, f"{left} of {in_flight}")
        for key, packed in zip(keys, held, strict=True):
            await play.redis.set(key, packed)
        await play.drained()
        await play.receipted()
        run.judged(await play.judge(unknown_allowed=True), "newer flight")


async def _newer_entry(run: Run) -> None:
    """The recorder stops before it: what it cannot read it does not acknowledge."""
    async with stage(receipts=ReceiptSpec(attempts=12)) as play:
        await play.serve()
        await play.worker()
        await play.push(20)
        entry = await play.redis.xadd(play.outbox.keys.ledger, {"v": "9", "k": "novelties", "p": "?"})
        assert play.serving is not None
        await _says(run, play, play.serving, "is of version 9")
        run.expect("a newer ledger entry: volley serve ends", await play.serving.gone() != 0, play.serving.code)
        await play.push(20)
        there = await play.redis.xrange(play.outbox.keys.ledger, entry, entry)
        run.expect("a newer ledger entry: it stays in the stream", bool(there), f"{len(there)} there")
        await play.redis.xdel(play.outbox.keys.ledger, entry)  # as if a newer recorder had read it
        await play.serve()
        await play.drained()
        await play.receipted()
        run.judged(await play.judge(unknown_allowed=True), "newer entry")


async def _says(run: Run, play: Stage, process: Process, words: str) -> None:
    async def said() -> bool:
        return words in process.log.read_text("utf-8", "replace")

    await play.until(said, f"{process.name} does not say {words!r}", 30)
    line = next(line for line in process.log.read_text("utf-8", "replace").splitlines() if words in line)
    run.expect("it says what to do", "update Volley" in line, line.strip()[-160:])


async def _control(run: Run) -> None:
    await _newer_chunk(run, "--without", "versions")


@experiment(
    26, "earlier and later releases on the same data", control=_control, without="the look at a chunk's version"
)
async def versions(run: Run) -> None:
    await _side_by_side(run)
    await _newer_chunk(run)
    await _newer_flight(run)
    await _newer_entry(run)
