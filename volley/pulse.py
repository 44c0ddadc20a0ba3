"""What those hear who watch over a process: its service manager (systemd's sd_notify), and whoever asks whether it is alive.

All of it is said from the event loop, so a loop that stands still falls silent: the watchdog is not fed, and nobody is answered.
So it is where another part of the process, which it was given to look at (`also`), stands still.
Where nobody listens nothing is said. The answer comes from an abstract socket (Linux), which needs no folder that can be written.
"""

import asyncio
import contextlib
import json
import logging
import os
import re
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

log = logging.getLogger(__name__)

_MANAGER = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_NAME = "volley-pulse"
_SHAPE = re.compile(rf"@{_NAME}-([a-z]+)-(\d+)-[0-9a-f]+")
_MOST_STATUS = 200
_ANSWER_BYTES = 4096


def without_manager(env: Mapping[str, str]) -> dict[str, str]:
    """An environment for children: their words are not those of the process that the manager watches."""
    return {name: value for name, value in env.items() if name not in _MANAGER}


class Manager:
    """The service manager's socket (sd_notify(3)); silent where there is none, and never in anybody's way."""

    def __init__(self, env: Mapping[str, str]) -> None:
        path = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog_s = _watchdog_s(env)

    @property
    def listens(self) -> bool:
        return bool(self._address)

    def tell(self, *words: str) -> None:
        """Sends `NAME=value` words as one message. A manager that is away or busy misses it."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            way.sendto("\n".join(words).encode(), self._address)


def _watchdog_s(env: Mapping[str, str]) -> float:
    """Within how long the watchdog wants to be fed; 0.0 where none watches this process."""
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    given = env.get("WATCHDOG_USEC", "0")
    return int(given) / 1e6 if given.isdecimal() else 0.0


class Pulse:
    """Enter it first and leave it last: it is fed and answers for as long as the process drains."""

    def __init__(self, role: str, env: Mapping[str, str] | None = None) -> None:
        self._role = role
        self._manager = Manager(os.environ if env is None else env)
        self._is_ready = False
        self._is_stopping = False
        self._status = ""
        self._others: list[Callable[[], bool]] = []
        self._feeding: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None

    @property
    def watched(self) -> bool:
        """Whether a service manager shows what is said here."""
        return self._manager.listens

    def also(self, turns: Callable[[], bool]) -> None:
        """Silent while this answers False, too."""
        self._others.append(turns)

    def ready(self) -> None:
        """It can work now. Only the first time is news, and none once it ends."""
        if not (self._is_ready or self._is_stopping):
            self._is_ready = True
            self._manager.tell("READY=1")

    def say(self, status: str) -> None:
        """One line for people, without numbers or texts of anybody."""
        if status != self._status:
            self._status = status
            self._manager.tell("STATUS=" + " ".join(status.split())[:_MOST_STATUS])

    def stopping(self, within_s: float) -> None:
        """It ends now, and is to be left so much time for it, whatever the unit's own patience is."""
        self._is_ready, self._is_stopping = False, True
        self._status = "stopping"
        self._manager.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(within_s * 1e6)}", "STATUS=stopping")

    async def __aenter__(self) -> Self:
        if self._manager.watchdog_s:
            self._feeding = asyncio.create_task(self._feed(self._manager.watchdog_s / 3))
        if sys.platform.startswith("linux"):
            await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        if self._feeding:
            self._feeding.cancel()
            await asyncio.gather(self._feeding, return_exceptions=True)

    async def _feed(self, every_s: float) -> None:
        while True:
            if self._turns:
                self._manager.tell("WATCHDOG=1")
            await asyncio.sleep(every_s)

    @property
    def _turns(self) -> bool:
        return all(turns() for turns in self._others)

    async def _listen(self) -> None:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # a name of its own: containers that share a network have the same process ids
            door.bind(f"\0{_NAME}-{self._role}-{os.getpid()}-{secrets.token_hex(4)}")
            self._server = await asyncio.start_unix_server(self._answer, sock=door)
        except OSError as error:
            door.close()
            log.warning("nobody can ask whether this process is alive: %s", error)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = {"role": self._role, "pid": os.getpid(), "ready": self._is_ready, "status": self._status}
        with contextlib.suppress(OSError):
            if self._turns:
                writer.write(json.dumps(told).encode() + b"\n")
                await writer.drain()
            writer.close()


class Beat(NamedTuple):
    """A process that listens here; `says` is its answer, None where it gave none in time."""

    role: str
    pid: int
    says: dict[str, object] | None


def ask(within_s: float, *, role: str = "", pid: int = 0, table: Path = Path("/proc/net/unix")) -> list[Beat]:
    """Asks every process of this network, or those of a role or a process id, whether it is alive."""
    return [
        Beat(of, its_pid, _ask(name, within_s))
        for name, of, its_pid in _listening(table)
        if (not role or role == of) and (not pid or pid == its_pid)
    ]


def _listening(table: Path) -> Iterator[tuple[str, str, int]]:
    """Name, role and process id of each; those that are being connected to stand there more than once."""
    try:
        lines = table.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    names = {words[-1] for line in lines if (words := line.split()) and words[-1].startswith(f"@{_NAME}-")}
    for name in sorted(names):
        found = _SHAPE.fullmatch(name)
        if found:  # anybody may give a socket any name
            yield name, found[1], int(found[2])


def _ask(name: str, within_s: float) -> dict[str, object] | None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as way:
            way.settimeout(within_s)
            way.connect("\0" + name[1:])
            told: dict[str, object] = json.loads(way.recv(_ANSWER_BYTES))
            return told
    except (OSError, ValueError):
        return None
