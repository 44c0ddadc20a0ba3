"""22: the recorder is killed, its database is locked for long, its disk is full: the ledger is complete in the end, no row twice."""

import asyncio
import contextlib
import resource
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.chaos.registry import Run, experiment
from tests.chaos.stage import TEMPLATE, Stage, stage
from volley.sandbox.config import PROFILE_ID, ReceiptSpec

BOUND = 100
REFUSED = 75
"""Exit code of a command that should be tried again later."""
RECEIPTS = ReceiptSpec(done_after_s=(0.05, 0.3), attempts=40, backoff_s=0.5)
"""The carrier comes again until it is heard."""


async def _recorder_killed(run: Run) -> None:
    kills, rate = run.pick(4, 20), 60.0
    people = int(kills * 3.0 * rate / 1.15)
    run.settings |= {"messages": people, "kills_of_serve": kills}
    async with stage(senders=8, rate=rate / 4, account_rate=rate, receipts=RECEIPTS) as play:
        serve = await play.serve()
        await play.worker()
        await play.push(people)
        for _ in range(kills):
            await asyncio.sleep(run.dice.uniform(0.1, 2.0))
            await serve.kill()
            await asyncio.sleep(run.dice.uniform(0, 0.5))
            serve = await play.serve()
        run.did(f"{kills} × kill -9 of volley serve")
        await _whole(run, play, people, "killed")


async def _database_away(run: Run, *how: str) -> None:
    """Another connection holds the database; the stream fills up to its bound."""
    seconds, rate = run.pick(12, 60), 60.0
    people = int((seconds + 20) * rate / 1.15)
    run.settings |= {"database_locked_s": seconds, "ledger_bound": BOUND}
    env = {"VOLLEY_LEDGER_BOUND": str(BOUND)}
    async with stage(senders=8, rate=rate / 4, account_rate=rate, receipts=RECEIPTS, env=env) as play:
        await play.serve()
        await play.worker(*how)
        await play.push(people)
        await asyncio.sleep(run.dice.uniform(1, 3))
        with closing(sqlite3.connect(play.folder / "home" / "ledger.db", isolation_level=None, timeout=30)) as base:
            base.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with contextlib.suppress(RuntimeError):
                await play.until(lambda: _stands(play), "taking did not stop", seconds)
            stood = time.monotonic() - began
            longest = int(await play.redis.xlen(play.outbox.keys.ledger))
            before = (await play.counts()).get("ready", 0)
            code = await _try_to_push(play)
            await asyncio.sleep(max(0.0, seconds - stood))
            counts = await play.counts()
            base.execute("ROLLBACK")
        run.did(f"the database locked for {seconds} s")
        run.expect("take waits", 0 < counts.get("ready", 0) == before, f"{before} ready, after {stood:.1f} s")
        run.expect("intake refuses", code == REFUSED, f"exit code {code}")
        run.expect("settle goes on", not counts.get("sending", 0), f"{counts.get('submitted', 0)} submitted")
        run.expect("the stream is bounded", longest <= 4 * BOUND, f"{longest} entries, bound {BOUND}")
        if not run.control:
            await _whole(run, play, people, "locked")


async def _stands(play: Stage) -> bool:
    """Whether nothing was taken for a second."""
    before = await play.counts()
    await asyncio.sleep(1)
    after = await play.counts()
    return before.get("ready") == after.get("ready") and not after.get("sending")


async def _try_to_push(play: Stage) -> int:
    file = play.folder / "refused.csv"
    file.write_text("to,name,more\n+12125559999,Ann,Bye.\n")
    words = ("send", str(file), "--yes", "--profile", PROFILE_ID, "--template", TEMPLATE)
    command = play.start("send", "volley", *words)
    await command.begin()
    return await command.gone()


async def _disk_full(run: Run) -> None:
    """No byte more fits where the ledger is, for a while."""
    seconds, rate = run.pick(6, 30), 60.0
    people = int((seconds + 8) * rate / 1.15)
    async with stage(senders=8, rate=rate / 4, account_rate=rate, receipts=RECEIPTS) as play:
        with _small_disk(play.folder / "home") as mounted:
            serve = await play.serve()
            await play.worker()
            await play.push(people)
            await asyncio.sleep(run.dice.uniform(1, 3))
            with _no_space(play.folder / "home", serve.pid, mounted):
                await asyncio.sleep(seconds)
                backlog = int(await play.redis.xlen(play.outbox.keys.ledger))
                alive = serve.alive
            run.did(f"the disk full for {seconds} s" + ("" if mounted else " (by a limit of file size)"))
            run.settings |= {"disk_full_s": seconds}
            run.expect("the recorder waits and lives", alive and backlog > 0, f"{backlog} entries in the stream")
            await _whole(run, play, people, "full")
            await play.end_processes()


@contextlib.contextmanager
def _small_disk(home: Path) -> Iterator[bool]:
    """Puts the data folder on a disk of 24 MB of its own, where we may; else leaves it where it is."""
    config = (home / "volley.toml").read_text()
    found = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(home)], capture_output=True)
    mounted = found.returncode == 0
    (home / "volley.toml").write_text(config)
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(home)], check=True)


@contextlib.contextmanager
def _no_space(home: Path, pid: int, mounted: bool) -> Iterator[None]:
    """A file that fills the disk; where there is no disk of our own, the process may not make files longer than the ledger is."""
    ballast, unlimited = home / "ballast", (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    if mounted:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    else:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        if mounted:
            ballast.unlink()
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


async def _whole(run: Run, play: Stage, people: int, case: str) -> None:
    """All came to its end, and every report stands in the ledger once."""
    await play.drained(people / 50 + 90)
    await play.receipted(120)
    run.judged(await play.judge(), case)
    with closing(sqlite3.connect(f"file:{play.folder}/home/ledger.db?mode=ro", uri=True)) as base:
        found = [
            base.execute(query).fetchone()[0]
            for query in (
                "SELECT count(*) FROM messages",
                "SELECT count(*) FROM attempts WHERE outcome = 'accepted'",
                "SELECT count(*) FROM receipts",
                "SELECT count(*) FROM quarantine",
            )
        ]
    complete = found == [people, people, 2 * people, 0]
    run.expect(
        f"complete, no row twice, {case}", complete, "{} messages {} attempts {} receipts {} aside".format(*found)
    )


async def _control(run: Run) -> None:
    await _database_away(run, "--without", "bound")


@experiment(
    22,
    "the recorder killed, its database locked, its disk full",
    control=_control,
    without="take's look at the length of the stream",
    reds=("take", "the"),
)
async def no_ledger(run: Run) -> None:
    await _recorder_killed(run)
    await _database_away(run)
    await _disk_full(run)
