"""A server that is no longer wanted before it answers ends with its start: who is cancelled in there never comes to stop it."""

import asyncio
import os
from pathlib import Path

import pytest

from volley.embedded import EmbeddedValkey
from volley.sandbox.process import SandboxProcess


async def test_a_valkey_whose_start_is_given_up_is_gone(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path)
    starting = asyncio.create_task(valkey.start())
    while valkey.process is None:  # noqa: ASYNC110 - before the server can listen
        await asyncio.sleep(0)
    pid = valkey.process.pid
    await given_up(starting)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_sandbox_whose_start_is_given_up_is_gone() -> None:
    sandbox = SandboxProcess()
    starting = asyncio.create_task(sandbox.start())
    while not sandbox.pid:  # noqa: ASYNC110 - before the interpreter is up
        await asyncio.sleep(0)
    pid = sandbox.pid
    await given_up(starting)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def given_up(starting: asyncio.Task[None]) -> None:
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
