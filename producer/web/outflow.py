"""Answers that are written piece by piece, to so many readers at once as there is room for, and to those who take what they are given."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator

from aiohttp import web

from producer.web.problems import TOO_MANY, Problem, retry_after

_AGAIN_S = 10.0


class Seats:
    """Room for so many readers of one kind in this process. `taken`: how many there are."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self.taken = 0

    @contextlib.contextmanager
    def seat(self) -> Iterator[None]:
        """Raises Problem (429) where none is free."""
        if self.taken >= self._most:
            raise Problem(TOO_MANY, f"{self._most} {self._what} are open here", headers=retry_after(_AGAIN_S))
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


async def over_within(over: asyncio.Event, wait_s: float) -> bool:
    """Whether streams are told to end, now or within that time."""
    try:
        async with asyncio.timeout(wait_s):
            return await over.wait()
    except TimeoutError:
        return False


async def write(response: web.StreamResponse, piece: bytes, within_s: float) -> None:
    """Raises TimeoutError where the reader takes nothing for so long."""
    async with asyncio.timeout(within_s):
        await response.write(piece)


def cut_off(request: web.Request) -> None:
    """A reset, so that the kernel drops at once what it holds for a reader that takes nothing."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
