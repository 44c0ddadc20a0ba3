"""Processes that stay (serve, workers, sandboxes), each a real one of its own, without the second in which an interpreter imports.

They are forked by a nursery (nursery.py) that has imported what serve, a worker and a sandbox import. What an interpreter reads at
its start (PYTHON…, LC_…, LANG…) is that nursery's own: there is one for each such environment. Other programs, what a loader
reads (LD_…), and modules from another place are started as they are everywhere.
"""

import asyncio
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.commands import open_nursery
from volley.offspring import ends_with_parent

ROOT = Path(__file__).resolve().parents[1]
_AT_START = ("PYTHON", "LC_", "LANG")
_MODULES = ("producer.web.server", "worker.main", "volley.sandbox.main")
_BIRTH_S = 60.0


class Forked:
    """What subprocess.Popen says of a process, of one that a nursery forked."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._turn = threading.Lock()

    def poll(self) -> int | None:
        """Its exit code (negative: by that signal) once it has ended."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """subprocess.TimeoutExpired if it goes on."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def _look(self, timeout: float | None) -> int | None:
        with self._turn:
            if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
                self.returncode = int(self._told.recv(64) or -signal.SIGKILL)  # its parent was killed, and it with it
                self._told.close()
            return self.returncode

    def send_signal(self, signum: int) -> None:
        """None to one that has ended: its number may be another's."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = Forked | subprocess.Popen[bytes]


class Awaited:
    """A process as asyncio has them: `wait` is awaited."""

    def __init__(self, process: Process) -> None:
        self.pid = process.pid
        self.send_signal = process.send_signal
        self.terminate = process.terminate
        self.kill = process.kill
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    async def wait(self) -> int:
        while (code := self.returncode) is None:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)
        return code


def begin(command: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: int = 1, stderr: int = 2) -> Process:
    """In a session of its own, killed when we end. Descriptors are left open here."""
    if not _is_of_a_nursery(command, env):
        return subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            start_new_session=True, preexec_fn=ends_with_parent(signal.SIGKILL),
        )  # fmt: skip
    _, how, what, *words = command
    order = {"python": [how, what], "words": words, "env": dict(env), "cwd": str(cwd), "bound": True}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, Path(os.devnull).open("rb") as nothing:
        descriptors = [nothing.fileno(), stdout, stderr, theirs.fileno()]
        socket.send_fds(_nursery(env), [json.dumps(order).encode()], descriptors)
    ours.settimeout(_BIRTH_S)
    pid = int(ours.recv(64) or b"0")
    assert pid, "the nursery ended"
    return Forked(pid, ours)


def _is_of_a_nursery(command: Sequence[str], env: Mapping[str, str]) -> bool:
    plain = env.get("PYTHONPATH", str(ROOT)) == str(ROOT) and not any(name.startswith("LD_") for name in env)
    return plain and command[0] == sys.executable and command[1] in ("-m", "-c")


_opening = threading.Lock()


def _nursery(env: Mapping[str, str]) -> socket.socket:
    with _opening:
        return _opened(frozenset((name, value) for name, value in env.items() if name.startswith(_AT_START)))


@functools.cache
def _opened(at_start: frozenset[tuple[str, str]]) -> socket.socket:
    return open_nursery(*_MODULES, **dict(at_start))
