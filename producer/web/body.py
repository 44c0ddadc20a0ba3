"""Request bodies in bounded memory: a body that is too large is refused by its announcement, or as soon as it is one."""

import asyncio

from aiohttp import web

LARGEST = 256 << 10
"""A webhook of Telnyx's is some kilobytes; a text with ten pictures still far below this."""

_ALL = 64 << 20
"""Held by all requests together while their bodies come in."""

_PATIENCE_S = 10.0


class Bodies:
    """Reads bodies. `held` is how many bytes of unfinished ones are in memory."""

    def __init__(self, largest: int = LARGEST, most: int = _ALL, patience_s: float = _PATIENCE_S) -> None:
        self._largest = largest
        self._most = most
        self._patience_s = patience_s
        self.held = 0

    async def read(self, request: web.Request, largest: int | None = None) -> bytes:
        """The raw body, of `largest` bytes at most where that is given.

        Raises:
            web.HTTPRequestEntityTooLarge: 413.
            web.HTTPUnsupportedMediaType: 415; it is compressed, and the signature covers what it was before.
            web.HTTPRequestTimeout: 408; it does not end.
            web.HTTPServiceUnavailable: 503; too many bodies come in at once.
        """
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise web.HTTPUnsupportedMediaType
        largest = largest or self._largest
        if (request.content_length or 0) > largest:
            raise _too_large(request.content_length or 0, largest)
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._gather(request, largest)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None

    async def _gather(self, request: web.Request, largest: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in request.content.iter_any():
                pieces.append(piece)
                size += len(piece)
                self.held += len(piece)
                if size > largest:
                    raise _too_large(size, largest)
                if self.held > self._most:
                    raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
        finally:
            self.held -= size
        return b"".join(pieces)


def _too_large(size: int, largest: int) -> web.HTTPRequestEntityTooLarge:
    return web.HTTPRequestEntityTooLarge(max_size=largest, actual_size=size)
