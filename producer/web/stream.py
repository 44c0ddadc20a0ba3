"""A request's body as a file that a thread reads, while the loop receives it: some blocks of memory, whatever its size.

Refuses bodies that are too large, that come too slowly, or that end before they are whole.
"""

import asyncio
import concurrent.futures
import io
from dataclasses import dataclass

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import Buffer

from producer.web.problems import BAD_REQUEST, TOO_LARGE, TOO_SLOW, Problem

BLOCK = 256 << 10


@dataclass(frozen=True, slots=True)
class Patience:
    """`idle_s` without a byte is too slow, and so is, after `grace_s` of waiting, less than `least_rate` bytes a second of it.
    The time that we take ourselves does not count.
    """

    idle_s: float = 20.0
    grace_s: float = 20.0
    least_rate: float = 10_000.0


class Body(io.RawIOBase):
    """`read` is for one thread at a time; `end` is for the loop, and must be called: a thread may wait in `read`.

    Raises, in the thread that reads:
        Problem: 400 it ended too soon, 408 too slow, 413 more than `most` bytes.
    """

    def __init__(self, request: web.Request, most: int, patience: Patience | None = None) -> None:
        super().__init__()
        self._content = request.content
        self._loop = asyncio.get_running_loop()
        self._most = most
        self._patience = patience or Patience()
        self._waiting: concurrent.futures.Future[bytes] | None = None
        self._ended = False
        self._waited_s = 0.0
        self.size = 0
        self._check_size(request.content_length or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        self._waiting = asyncio.run_coroutine_threadsafe(self._next(len(view)), self._loop)
        data = self._waiting.result()
        view[: len(data)] = data
        return len(data)

    def end(self) -> None:
        """Whoever reads now or later is told that nobody wants it any more."""
        self._ended = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def _next(self, most: int) -> bytes:
        if self._ended:
            raise Problem(BAD_REQUEST, "the body is not wanted any more")
        begin_s = self._loop.time()
        try:
            async with asyncio.timeout(self._patience.idle_s):
                data = await self._content.read(most)
        except TimeoutError:
            raise Problem(TOO_SLOW, f"no byte of the body came for {self._patience.idle_s:g} s") from None
        except (ClientPayloadError, HttpProcessingError, ConnectionError, web.RequestPayloadError):
            raise Problem(BAD_REQUEST, "the body ended before it was whole: nothing of it was taken") from None
        self._waited_s += self._loop.time() - begin_s
        self.size += len(data)
        self._check_size(self.size)
        if self._waited_s > self._patience.grace_s and self.size < self._waited_s * self._patience.least_rate:
            raise Problem(TOO_SLOW, f"the body came slower than {self._patience.least_rate:,.0f} bytes a second")
        return data

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise Problem(TOO_LARGE, f"the body is larger than {self._most:,} bytes: send it in several pushes")
