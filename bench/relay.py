"""Stands between a worker and Redis and counts the commands that pass (RESP2 arrays of bulk strings)."""

import asyncio
from types import TracebackType
from typing import Self

_READ = 1 << 16


class CommandCount:
    """Feed it a connection's bytes in any pieces; `commands` is how many complete ones there were."""

    def __init__(self) -> None:
        self.commands = 0
        self._rest = b""
        self._strings = 0
        self._skip = 0

    def feed(self, data: bytes) -> None:
        data, at = self._rest + data, 0
        while True:
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
            end = -1 if self._skip else data.find(b"\r\n", at)
            if end < 0:
                break
            self._header(data[at:end])
            at = end + 2
        self._rest = data[at:]

    def _header(self, line: bytes) -> None:
        size = int(line[1:])
        if line[:1] == b"*":
            self._strings = size
        else:
            self._strings -= 1
            self._skip = size + 2
        self.commands += self._strings == 0


class Relay:
    """Use as an async context manager; `url` is what a worker is told to be its Redis."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._counts: list[CommandCount] = []

    @property
    def commands(self) -> int:
        return sum(count.commands for count in self._counts)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_connection("127.0.0.1", self._port)
        count = CommandCount()
        self._counts.append(count)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_on(reader, on, count))
            group.create_task(_pass_on(back, writer, None))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: CommandCount | None) -> None:
    while data := await reader.read(_READ):
        if count is not None:
            count.feed(data)
        writer.write(data)
        await writer.drain()
    writer.close()
