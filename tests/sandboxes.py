"""A sandbox as other teams start it: a process of its own that ends with the test, however that ends."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.offspring import Awaited, Process, begin
from volley.sandbox.config import SandboxConfig, dump
from volley.sandbox.process import SandboxProcess


@contextlib.contextmanager
def sandbox_process(*options: str) -> Iterator[str]:
    """The URL that TELNYX_BASE_URL holds. `options` are those of `volley sandbox`, without the port."""
    process, reading = _begun(("--port", "0", *options))
    with open(reading) as said:
        try:
            yield str(json.loads(said.readline())["url"])
        finally:
            process.terminate()
            process.wait()


def elsewhere(pid: int) -> None:
    """The carrier's machine and the network are not this one: they do not wait for our work."""
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, min(-10, os.getpriority(os.PRIO_PROCESS, 0)))


class Sandbox(SandboxProcess):
    """A SandboxProcess that an interpreter need not start for, and that does not wait for our work. `env` beside its PATH."""

    def __init__(self, config: SandboxConfig | None = None, *, env: Mapping[str, str] | None = None) -> None:
        super().__init__(config)
        self._env = env or {}

    async def _begin(self) -> asyncio.StreamReader:
        process, reading = _begun(("--config", dump(self.config)), **self._env)
        self._process = Awaited(process)
        elsewhere(process.pid)
        said = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(said), os.fdopen(reading, "rb")
        )
        return said


def _begun(options: tuple[str, ...], **env: str) -> tuple[Process, int]:
    """It, and the descriptor from which what it says is read."""
    reading, writing = os.pipe()
    try:
        command = [sys.executable, "-m", "volley.sandbox", *options]
        environment = {"PATH": os.environ["PATH"], **env}
        return begin(command, env=environment, cwd=Path.cwd(), stdout=writing), reading
    finally:
        os.close(writing)
