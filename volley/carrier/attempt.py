"""One POST on its way out: the bytes, and the last look at the line and the clock before they leave.

aiohttp buffers the headers of a request and writes them together with the first piece of its body (its trace
`on_request_headers_sent` fires before that, with nothing written). So `Attempt.write_with_length` is the exact place:
what it refuses has put no byte on the wire, and what it lets through may have.
"""

import math
from time import monotonic

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.payload import Payload
from aiohttp.tracing import Trace
from multidict import CIMultiDict, istr

_KEY = istr("Idempotency-Key")


class TooLate(Exception):
    """The moment of this POST has passed; nothing was written."""


class LineSpoiled(Exception):
    """The connection is closing, or holds bytes that nobody asked for; nothing was written."""


class Attempt(Payload):
    """The body of one POST. `deadline` and `sent_at` are `time.monotonic()` seconds; `sent_at` 0.0: not on the wire."""

    _autoclose = True

    def __init__(self, body: bytes, idempotency_key: str, deadline: float) -> None:
        # Payload.__init__ would guess a content type; its other fields have class defaults or are set here.
        self._value = body
        self._size = len(body)
        # aiohttp copies a payload's headers into the request: cheaper than a dictionary of headers a call.
        self._headers = CIMultiDict(((_KEY, idempotency_key),))
        self.deadline = deadline
        self.sent_at = 0.0
        self.line: ResponseHandler | None = None

    def late(self) -> bool:
        return monotonic() >= self.deadline

    def shut(self) -> None:
        """From here on nothing of this attempt can be written."""
        self.deadline = -math.inf

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write all, or raise before the first byte. `StreamWriter.write` reaches the transport without a pause.

        Raises:
            TooLate, LineSpoiled: nothing was written.
        """
        line = self.line
        # `should_close` is also true of a kept line with an unasked answer in its buffer (a 408 for idling, say).
        if line is None or line.should_close or not line.is_connected():
            raise LineSpoiled
        now = monotonic()
        if now >= self.deadline:
            raise TooLate
        self.sent_at = now
        await writer.write(self._value)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        body: bytes = self._value
        return body.decode(encoding, errors)


class Lines(TCPConnector):
    """Connections to the carrier. One that came too late for its attempt goes to the pool unused.

    Without that, a handshake longer than a grant's patience would be paid for every message and none would ever go out.
    """

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        attempt = req.body
        if isinstance(attempt, Attempt):
            if attempt.late():
                connection.release()
                raise TooLate
            attempt.line = connection.protocol
        return connection
