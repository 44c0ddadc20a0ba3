"""A sandbox as its own process, for tests that kill things and benches that share no core with it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from volley.errors import TryAgainLater
from volley.offspring import ends_with_parent
from volley.sandbox.config import SandboxConfig, dump

_START_S = 15.0
_STOP_S = 10.0


class SandboxProcess:
    """Use as an async context manager. `cpus` pins it to cores. `url`, `port`, `public_key`, `log_path` are known once it runs."""

    def __init__(self, config: SandboxConfig | None = None, *, cpus: Sequence[int] = ()) -> None:
        self.config = config or SandboxConfig()
        self.url = ""
        self.port = 0
        self.public_key = ""
        self.log_path = Path()
        self._cpus = cpus
        self._process: asyncio.subprocess.Process | None = None

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v2")

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    async def start(self) -> None:
        """Returns when it listens; TryAgainLater if it does not."""
        try:
            await self._listen()
        except BaseException:
            await self.kill()  # who is cancelled in here never comes to `stop`
            raise

    async def _listen(self) -> None:
        said = await self._begin()
        if self._cpus:
            os.sched_setaffinity(self.pid, self._cpus)
        try:
            async with asyncio.timeout(_START_S):
                line = await said.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise TryAgainLater("the sandbox did not start; what it says is above")
        facts = orjson.loads(line)
        self.url, self.port, self.public_key = facts["url"], facts["port"], facts["public_key"]
        self.log_path = Path(facts["log"])

    async def _begin(self) -> asyncio.StreamReader:
        """Starts the process; what it says."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "volley.sandbox", "--config", dump(self.config)),
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=ends_with_parent(),
        )
        self._process = process
        assert process.stdout is not None
        return process.stdout

    async def stop(self) -> None:
        """Ends it; its log is complete then (and gone, if the config names no file for it)."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Ends it as a crash would: what its log has not written is gone (with `fsync`, nothing that was answered)."""
        await self._end(signal.SIGKILL)

    async def _end(self, signum: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
