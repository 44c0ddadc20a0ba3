"""Commands as somebody at the keys has them: on a terminal, or with a pipe that stays open, and a Ctrl-C that is heard."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

CTRL_C = "\x03"
PATIENCE_S = 120.0


def _until(true: Callable[[], bool], what: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


def waiting_bytes(descriptor: int) -> int:
    """So many may be read there, and have not been."""
    count: int = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0]
    return count


def begun(*words: str, env: Mapping[str, str], cwd: Path, terminal: int | None = None) -> subprocess.Popen[bytes]:
    """Without a `terminal` all three are pipes, and it has a session of its own; as a job of no terminal would, it heeds SIGINT."""

    def seated() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background ignores it, and passes that on
        if terminal is not None:
            os.login_tty(terminal)

    way = subprocess.PIPE if terminal is None else None
    return subprocess.Popen(
        [sys.executable, "-m", "volley", *words], env=env, cwd=cwd, stdin=way, stdout=way, stderr=way, preexec_fn=seated
    )


class Terminal:
    """A command on a terminal of its own: what is typed, Ctrl-C too, is the kernel's to make of it.

    Use as a context manager; what still runs at its end is killed.
    """

    def __init__(self, *words: str, env: Mapping[str, str], cwd: Path) -> None:
        self._keys, self._desk = pty.openpty()
        self.shown = ""
        self.process = begun(*words, env=env, cwd=cwd, terminal=self._desk)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how Linux tells that nobody has it open any more
            while seen := os.read(self._keys, 4096):
                self.shown += seen.decode(errors="replace")

    def shows(self, text: str) -> None:
        """Returns once it does."""
        _until(lambda: text in self.shown, lambda: f"it shows {self.shown!r}")

    def types(self, text: str) -> None:
        os.write(self._keys, text.encode())

    def has_read(self) -> None:
        """Returns once the command has taken all lines that were typed."""
        _until(lambda: waiting_bytes(self._desk) == 0, lambda: "what was typed is not read")

    def ends(self) -> int:
        """The exit code; all that it said is in `shown` then."""
        code = self.process.wait(PATIENCE_S)
        self._leave()
        return code

    def _leave(self) -> None:
        if self._desk >= 0:
            os.close(self._desk)
            self._desk = -1
            self._reading.join(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._leave()
        os.close(self._keys)
