"""One child process that may be killed, stopped, continued, asked to end, and that never outlives us."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.offspring import Awaited, begin

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 30.0


def python(*words: str) -> list[str]:
    """`python -m words`, of this environment."""
    return [sys.executable, "-m", *words]


class Process:
    """`begin` starts it; its output goes to `<folder>/<name>.log`."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._env = {"PYTHONPATH": str(ROOT), **env}
        self._folder = folder
        self.process: Awaited | None = None

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def code(self) -> int | None:
        return self.process.returncode if self.process else None

    async def begin(self) -> None:
        with self.log.open("ab") as log:
            self.process = Awaited(
                begin(self._command, env=self._env, cwd=self._folder, stdout=log.fileno(), stderr=log.fileno())
            )

    def signal(self, signum: signal.Signals) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signum)

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.signal(signal.SIGKILL)
        await self.gone()

    async def gone(self, within_s: float = _PATIENCE_S) -> int:
        """Waits until it has ended by itself; its exit code (negative: by that signal)."""
        assert self.process is not None
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    async def stopped(self, within_s: float = _PATIENCE_S) -> None:
        """Waits until it stands still (SIGSTOP)."""
        async with asyncio.timeout(within_s):
            for _ in iter(self._state, "T"):
                await asyncio.sleep(0.01)

    def _state(self) -> str:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return ""

    async def end(self, within_s: float = _PATIENCE_S) -> int:
        """SIGTERM, time to finish, SIGKILL; its exit code."""
        if self.process is None:
            return 0
        if self.alive:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        try:
            return await self.gone(within_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            return await self.process.wait()
