"""Volley under a real supervisord: started by our file, restarted under load, killed; nobody twice, nothing lost."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.chaos.processes import Process
from tests.chaos.stage import Stage, stage
from tests.deploy.files import DEPLOY, HOME, LOGS, path_with_volley

OWN = """
[unix_http_server]
file = {folder}/supervisor.sock
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{folder}/supervisor.sock
[include]
files = {folder}/volley.conf
"""
PEOPLE = 6000
WORKERS = ("volley-worker:volley-worker_00", "volley-worker:volley-worker_01")


class Supervised:
    """A stage on which supervisord has started serve and two workers."""

    def __init__(self, play: Stage) -> None:
        self.play = play
        self._conf = play.folder / "supervisord.conf"

    async def begin(self) -> None:
        folder = self.play.folder
        (folder / "log").mkdir()
        shipped = (DEPLOY / "supervisord" / "volley.conf").read_text("utf-8")
        (folder / "volley.conf").write_text(
            shipped.replace(HOME, str(folder / "home")).replace(LOGS, str(folder / "log"))
        )
        self._conf.write_text(OWN.format(folder=folder))
        words = ("supervisor.supervisord", "-c", str(self._conf))
        self.play.serving = self.play.start("supervisord", *words, PATH=path_with_volley())
        await self.play.serving.begin()
        await self.play.until(self._all_work, "serve and two workers", 60)

    async def _all_work(self) -> bool:
        return len(await self.play.outbox.workers()) == 2 and "RUNNING" in await self.ctl("status", "volley-serve")

    async def ctl(self, *words: str) -> str:
        """What supervisorctl says."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self._conf), *words, stdout=asyncio.subprocess.PIPE
        )  # fmt: skip
        said, _ = await process.communicate()
        return said.decode().strip()

    async def pid(self, name: str) -> int:
        said = await self.ctl("pid", name)
        return int(said) if said.isdecimal() else 0


@pytest.fixture
async def supervised() -> AsyncIterator[Supervised]:
    async with stage(senders=4, rate=50, account_rate=40) as play:
        made = Supervised(play)
        await made.begin()
        yield made


async def test_a_rolling_restart_and_a_kill_under_load_reach_everybody_once(supervised: Supervised) -> None:
    play = supervised.play
    states = [line.split()[1] for line in (await supervised.ctl("status")).splitlines()]
    assert states == ["RUNNING"] * 3
    campaign = (await play.push(PEOPLE)).campaign_id or ""
    await play.until_left(PEOPLE - 20)
    before = [await supervised.pid(name) for name in WORKERS]
    for name in WORKERS:
        assert "started" in await supervised.ctl("restart", name)
    after = [await supervised.pid(name) for name in WORKERS]
    assert not set(before) & set(after)
    counts = await play.counts()
    assert not counts.get("unknown"), "an orderly restart left messages unknown"
    os.kill(after[0], signal.SIGKILL)

    async def started_again() -> bool:
        return await supervised.pid(WORKERS[0]) not in (0, after[0])

    await play.until(started_again, "supervisord did not start it again", 30)
    left = (await play.counts())["ready"]  # more than can have gone meanwhile: it was under load all the time
    await play.until_left(left - 20)
    await play.outbox.cancel(campaign)
    await play.drained()
    await play.receipted()
    for check in await play.judge(unknown_allowed=True):  # what the killed one held and nobody speaks of
        assert check.kept, f"{check.name}: {check.found}"
    serving = play.serving
    assert isinstance(serving, Process)
    assert await serving.end(60) == 0
    assert not any(psutil.pid_exists(pid) for pid in after)
