"""A TCP proxy that does to a connection what networks do: delay, cut, hold back, swallow, close one half, refuse.

It stands between two parts, in a thread and loop of its own, and can be told another way at any moment. Bytes, not
protocols: it neither knows nor cares who talks through it.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Literal, Self

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: a close sends RST."""
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Way:
    """What happens to bytes in one direction.

    `delay_s` every byte comes so much later. `cut_after` so many bytes of each connection pass (counted from the moment
    at which this way was set), then it ends: `fin` and `rst` close both sides, `half` closes this direction only.
    `hold` is a network that is away: nothing passes, and all of it comes when the way is clear again. `swallow`: nothing
    passes, and what was swallowed never comes.
    """

    delay_s: float = 0.0
    cut_after: int | None = None
    end: Literal["fin", "rst", "half"] = "rst"
    hold: bool = False
    swallow: bool = False


CLEAR = Way()


@dataclass(slots=True, eq=False)
class _Line:
    """One connection: both ends, and what passed in each direction since its way was set."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[str, int] = field(default_factory=lambda: {"there": 0, "back": 0})


class Proxy:
    """Listens on `port` of the loopback and connects to `target`. `there` is client → server, `back` the other direction.

    Start it with `start`, or use it as a context manager. Every method may be called from any thread.
    """

    def __init__(self, target: tuple[str, int], *, port: int = 0) -> None:
        self.target = target
        self.port = port
        self.accepted = 0
        self.ways = {"there": CLEAR, "back": CLEAR}
        self._lines: set[_Line] = set()
        self._changed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._dead_end: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open_lines(self) -> int:
        return len(self._lines)

    def start(self) -> Self:
        self._thread.start()
        self._ask(self._listen())
        return self

    def stop(self) -> None:
        if self._loop.is_closed():
            return
        self._ask(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # what it does from now on

    def set(self, there: Way = CLEAR, back: Way = CLEAR) -> None:
        """For lines that are open and those to come; counts of bytes begin anew."""
        self._call(lambda: self._set(there, back))

    def clear(self) -> None:
        """All passes again, and what was held comes."""
        self.set()

    def reset_all(self) -> None:
        """RST to both ends of every open line."""
        self._call(self._reset_all)

    def refuse(self) -> None:
        """Nobody listens there any more: connections are refused. Open lines go on."""
        self._ask(self._unlisten())

    def dead_end(self) -> None:
        """No answer to a SYN: who connects waits until its own patience ends. Open lines go on."""
        self._ask(self._dead())

    def accept(self) -> None:
        """Listens again, after `refuse` or `dead_end`."""
        self._ask(self._listen())

    # the loop's side

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _ask(self, what: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    def _call(self, what: Callable[[], None]) -> None:
        async def now() -> None:
            what()

        self._ask(now())

    def _set(self, there: Way, back: Way) -> None:
        self.ways = {"there": there, "back": back}
        for line in self._lines:
            line.passed = {"there": 0, "back": 0}
        self._changed.set()
        self._changed = asyncio.Event()

    async def _listen(self) -> None:
        await self._unlisten()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _unlisten(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for each in self._dead_end:
            each.close()
        self._dead_end.clear()
        await asyncio.sleep(0)

    async def _dead(self) -> None:
        """A listener whose queue is full and that accepts nobody: the kernel drops further SYNs."""
        await self._unlisten()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        self._dead_end.append(listener)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._dead_end.append(filler)

    async def _close(self) -> None:
        await self._unlisten()
        self._reset_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for line in list(self._lines):
            self._end(line, "rst")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        try:
            await self._pass(reader, writer)
        except (OSError, asyncio.CancelledError):
            _linger_not(writer)
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self.target)
        line = _Line(writer, to_server)
        self._lines.add(line)
        try:
            await asyncio.gather(
                self._pump(line, "there", reader, to_server), self._pump(line, "back", from_server, writer)
            )
        finally:
            self._lines.discard(line)
            for end in (writer, to_server):
                end.close()

    async def _pump(
        self, line: _Line, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Two halves, so that a delay holds bytes back without slowing them down."""
        waiting: deque[tuple[float, bytes | None]] = deque()
        more = asyncio.Event()
        reading = asyncio.create_task(self._read(direction, reader, waiting, more))
        try:
            await self._write(line, direction, writer, waiting, more)
        except (ConnectionError, RuntimeError):
            self._end(line, "rst")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(
        self,
        direction: str,
        reader: asyncio.StreamReader,
        waiting: deque[tuple[float, bytes | None]],
        more: asyncio.Event,
    ) -> None:
        while True:
            data: bytes | None = None  # stands for a reset
            with contextlib.suppress(ConnectionError):
                data = await reader.read(_BLOCK)
            waiting.append((time.monotonic() + self.ways[direction].delay_s, data))
            more.set()
            if not data:
                return

    async def _write(
        self,
        line: _Line,
        direction: str,
        writer: asyncio.StreamWriter,
        waiting: deque[tuple[float, bytes | None]],
        more: asyncio.Event,
    ) -> None:
        while True:
            await more.wait()
            due, data = waiting.popleft()
            if not waiting:
                more.clear()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while self.ways[direction].hold:
                await self._changed.wait()
            way = self.ways[direction]
            if data is None:
                return self._end(line, "rst")
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            if way.swallow:
                continue
            room = len(data) if way.cut_after is None else max(0, way.cut_after - line.passed[direction])
            line.passed[direction] += min(room, len(data))
            writer.write(data[:room])
            await writer.drain()
            if way.cut_after is not None and line.passed[direction] >= way.cut_after:
                if way.end == "half":
                    writer.write_eof()
                else:
                    self._end(line, way.end)
                return

    def _end(self, line: _Line, how: str) -> None:
        for writer in (line.client, line.server):
            if how == "rst":
                _linger_not(writer)
                writer.transport.abort()
            else:
                writer.close()


def _linger_not(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
