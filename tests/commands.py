"""Volley's commands, each a process of its own, without the second that an interpreter needs to import what they stand on.

A process that has imported `volley.__main__` (nursery.py) forks for each command: arguments, environment, folder, descriptors
and exit code are the command's own. What only an interpreter's start reads (PYTHON…, LC_…, LANG…) gets one that starts.
"""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_NURSERY = Path(__file__).with_name("nursery.py")
_AT_START = ("PYTHON", "LC_", "LANG")
_PATIENCE_S = 60.0

Done = subprocess.CompletedProcess[str]


def run_volley(*words: str, env: Mapping[str, str], cwd: Path | None = None, stdin: str | bytes = "") -> Done:
    """Runs one command to its end: exit code, stdout, stderr. From any thread.

    Raises:
        subprocess.TimeoutExpired: it did not end within a minute; it is killed.
    """
    given = stdin.encode() if isinstance(stdin, str) else stdin
    if any(name.startswith(_AT_START) for name in env):
        return _started(words, env, cwd, given)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = _forked(words, env, cwd or Path.cwd(), given, (out, err))
        return subprocess.CompletedProcess(words, code, _read(out), _read(err))


def _started(words: Sequence[str], env: Mapping[str, str], cwd: Path | None, given: bytes) -> Done:
    command = [sys.executable, "-m", "volley", *words]
    done = subprocess.run(command, input=given, capture_output=True, env=env, cwd=cwd, timeout=_PATIENCE_S, check=False)
    return subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode())


def _forked(words: Sequence[str], env: Mapping[str, str], cwd: Path, given: bytes, ways: tuple[IO[bytes], ...]) -> int:
    how = {"python": ["-m", "volley"], "bound": False}
    order = json.dumps({"words": words, "env": dict(env), "cwd": str(cwd)} | how).encode()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    with ours:
        with theirs:
            descriptors = [reading, *(way.fileno() for way in ways), theirs.fileno()]
            socket.send_fds(_nursery(), [order], descriptors)
        os.close(reading)
        feeding = threading.Thread(target=_feed, args=(writing, given), daemon=True)
        feeding.start()
        ours.settimeout(_PATIENCE_S)
        pid = int(ours.recv(64) or b"0")
        assert pid, "the nursery ended"
        try:
            return int(ours.recv(64))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(words), _PATIENCE_S) from None


def _feed(descriptor: int, given: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb", buffering=0) as stdin:
        view = memoryview(given)
        while view:
            view = view[stdin.write(view) or 0 :]


def _read(way: IO[bytes]) -> str:
    way.seek(0)
    return way.read().decode()


def open_nursery(*modules: str, **at_start: str) -> socket.socket:
    """A new one, which has imported these modules too and whose interpreter started with these variables. It takes orders, and ends
    when this end of the socket closes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, str(_NURSERY), str(theirs.fileno()), *modules]
        env = {"PATH": os.environ["PATH"], **at_start}
        nothing = subprocess.DEVNULL
        subprocess.Popen(command, env=env, pass_fds=[theirs.fileno()], stdin=nothing, stdout=nothing)
    return ours


@functools.cache
def _opened() -> socket.socket:
    return open_nursery()


_opening = threading.Lock()


def _nursery() -> socket.socket:
    with _opening:
        return _opened()
