"""A worker under a real s6-supervise or runsv (Debian's s6 and runit), from a copy of the folder that we ship."""

import asyncio
import os
import shutil
from typing import Literal

import pytest

from tests.chaos.processes import Process
from tests.chaos.stage import Stage
from tests.deploy.files import DEPLOY, path_with_volley
from volley.pulse import ask

Name = Literal["s6", "runit"]
PROGRAMS = {"s6": "s6-supervise", "runit": "runsv"}
STOP_S = 45
"""As the shipped files have it: s6's timeout-kill, and what the run script of runit says to type."""


def need(name: Name) -> None:
    """CI installs them, so there they must be."""
    if shutil.which(PROGRAMS[name]) is None:
        assert os.environ.get("CI") != "true", f"{PROGRAMS[name]} must be here in CI"
        pytest.skip(f"{PROGRAMS[name]} is not here: apt-get install {name}")


class Kept:
    """`folder` is the service's."""

    def __init__(self, name: Name, play: Stage) -> None:
        self._name = name
        self._play = play
        self.folder = play.folder / "volley-worker"
        self._supervisor: Process | None = None

    async def begin(self) -> None:
        shutil.copytree(DEPLOY / self._name / "volley-worker", self.folder)
        settings = self._play.folder / "volley.env"
        ours = {key: value for key, value in self._play.env.items() if key.startswith(("VOLLEY_", "TELNYX_"))}
        settings.write_text("".join(f"{key}='{value}'\n" for key, value in ours.items()))
        # what a supervisor gives a service: little
        env = {"PATH": path_with_volley(), "SETTINGS_FILE": str(settings), "VOLLEY_HOME": ours["VOLLEY_HOME"]}
        command = [PROGRAMS[self._name], str(self.folder)]
        self._supervisor = Process(self._name, command, env, self._play.folder)
        await self._supervisor.begin()
        await self.works(0)

    async def works(self, before: int) -> int:
        """Waits until another process than `before` is ready; its id."""

        async def ready() -> bool:
            pid = await self.pid()
            beats = await asyncio.to_thread(ask, 2.0, role="worker", pid=pid) if pid not in (0, before) else []
            return any(beat.says is not None and beat.says["ready"] is True for beat in beats)

        await self._play.until(ready, f"{self._name} brought no worker that is ready", 90)
        return await self.pid()

    async def pid(self) -> int:
        if self._name == "s6":
            said = await self._say("s6-svstat", "-o", "pid", str(self.folder))
        else:
            said = await self._say("cat", str(self.folder / "supervise" / "pid"))
        return int(said) if said.strip().isdecimal() else 0

    async def restart(self) -> None:
        """SIGTERM, and up again once it has ended."""
        if self._name == "s6":
            await self._say("s6-svc", "-wR", "-T", str(STOP_S * 1000), "-r", str(self.folder))
        else:
            await self._say("sv", "-w", str(STOP_S), "restart", str(self.folder))

    async def end(self) -> None:
        """Down, and the supervisor with it."""
        if self._name == "s6":
            await self._say("s6-svc", "-wD", "-T", str(STOP_S * 1000), "-dx", str(self.folder))
        else:
            await self._say("sv", "-w", str(STOP_S), "force-stop", str(self.folder))
            await self._say("sv", "exit", str(self.folder))
        assert self._supervisor is not None
        await self._supervisor.gone()

    async def _say(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        return said.decode().strip()
