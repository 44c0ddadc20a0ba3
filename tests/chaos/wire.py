"""The process of a proxy (proxy.py): told on its standard input what to do, a line of JSON each, and answers a line each.

python -m tests.chaos.wire HOST PORT LISTEN. It ends with its input. Standard library only: it is there in a tenth of a second.
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.proxy import CLEAR, Way

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: a close sends RST."""
_BLOCK = 1 << 16


@dataclass(slots=True, eq=False)
class _Line:
    """One connection: both ends, and what passed in each direction since its way was set."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[str, int] = field(default_factory=lambda: {"there": 0, "back": 0})


class Wire:
    """What a Proxy says it does. `port` 0: a free one, and that one from then on."""

    def __init__(self, target: tuple[str, int], port: int) -> None:
        self.target = target
        self.port = port
        self.ways = {"there": CLEAR, "back": CLEAR}
        self._lines: set[_Line] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._dead_end: list[socket.socket] = []

    async def do(self, what: str, there: dict[str, Any] | None = None, back: dict[str, Any] | None = None) -> None:
        match what:
            case "set":
                self._set(Way(**(there or {})), Way(**(back or {})))
            case "reset_all":
                self._reset_all()
            case "refuse":
                await self._unlisten()
            case "dead_end":
                await self._dead()
            case "accept":
                await self._listen()
            case _:
                raise ValueError(f"what is {what}?")

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

    def _reset_all(self) -> None:
        for line in list(self._lines):
            self._end(line, "rst")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._pass(reader, writer)
        except (OSError, asyncio.CancelledError):
            _linger_not(writer)
            writer.transport.abort()

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


async def _told(wire: Wire, line: bytes) -> dict[str, Any]:
    try:
        await wire.do(**json.loads(line))
    except OSError as error:
        return {"error": str(error)}
    return {"port": wire.port}


async def main(host: str, port: int, listen: int) -> None:
    wire, orders = Wire((host, port), listen), asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        print(json.dumps(await _told(wire, line)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
