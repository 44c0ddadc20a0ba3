"""HTTP/1.1 as a carrier's front speaks it, on a bare asyncio.Protocol: keep-alive, Content-Length bodies, pipelining.

What it refuses: chunked request bodies (411), large heads and bodies (431, 413). `Expect` is ignored.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, cast

from volley.sandbox.replies import error_body, http_reply

MAX_HEAD = 16_384
_ZERO = ord("0")
_BODY = error_body("10015", "Bad Request", "The request could not be read: see its HTTP status.")
_CLOSE = b"connection: close\r\n"
_DRAIN_US = 200_000

End = Literal["keep", "close", "drain", "reset", "never"]


class Reply(NamedTuple):
    """An answer that is not simply written: late, followed by a close, instead of one. `sent` runs when it is out.

    `drain` hears out a client that is still writing before it closes; `never` leaves the connection as it is.
    """

    raw: bytes
    delay_us: int = 0
    end: End = "keep"
    sent: Callable[[], None] | None = None


class Unreadable(Exception):
    """What came is no request that we take; the connection closes after the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Request:
    """`line` is method and target (`POST /v2/messages`); `next` is where the next request begins in the buffer."""

    __slots__ = ("_head", "_low", "body", "line", "next")

    def __init__(self, line: bytes, head: bytes, low: bytes, body: bytes, next_: int) -> None:
        self.line = line
        self.body = body
        self.next = next_
        self._head = head
        self._low = low

    def header(self, mark: bytes) -> bytes:
        r"""The value after a mark such as `\r\nauthorization:`; empty when there is none."""
        at = self._low.find(mark)
        if at < 0:
            return b""
        at += len(mark)
        end = self._low.find(b"\r\n", at)
        return self._head[at : end if end >= 0 else None].strip()

    @property
    def closes(self) -> bool:
        minor = self._head[len(self.line) + 8]  # of "METHOD TARGET HTTP/1.1"
        return minor == _ZERO or b"\r\nconnection: close" in self._low


def read_request(buffer: bytes, start: int, max_body: int) -> Request | None:
    """The request that begins at `start`, or None while it is incomplete. Raises Unreadable."""
    end = buffer.find(b"\r\n\r\n", start)
    if end < 0 or end - start > MAX_HEAD:
        if len(buffer) - start > MAX_HEAD:
            raise Unreadable(431)
        return None
    head = buffer[start:end]
    version = head.find(b" HTTP/1.")
    if version < 0 or len(head) < version + 9:
        raise Unreadable(400)
    low = head.lower()
    length = _body_length(low, low.find(b"\r\ncontent-length:"), max_body)
    begin = end + 4
    if len(buffer) - begin < length:
        return None
    return Request(head[:version], head, low, buffer[begin : begin + length], begin + length)


def _body_length(low: bytes, at: int, max_body: int) -> int:
    if at < 0:
        if b"\r\ntransfer-encoding:" in low:
            raise Unreadable(411)
        return 0
    stop = low.find(b"\r\n", at + 17)
    digits = low[at + 17 : stop if stop >= 0 else None].strip()
    if not digits.isdigit():
        raise Unreadable(400)
    if len(digits) > 12 or int(digits) > max_body:
        raise Unreadable(413)
    return int(digits)


class Front:
    """What a connection needs of the sandbox.

    `respond` answers a request, `unreadable` notes what could not be read, `later` runs something at a monotonic moment (µs),
    `held` collects answers until the log is on the disk (None: answers go out at once), `greet` False resets a new connection.
    """

    def __init__(
        self,
        respond: Callable[[Request], bytes | Reply],
        unreadable: Callable[[int], None],
        later: Callable[[int, Callable[[], None]], None],
        *,
        held: list[Callable[[], None]] | None = None,
        greet: Callable[[], bool] = lambda: True,
        max_body: int = 1 << 20,
    ) -> None:
        self.respond = respond
        self.unreadable = unreadable
        self.later = later
        self.held = held
        self.greet = greet
        self.max_body = max_body
        self.connections: set[Connection] = set()

    def close_idle(self, idle_s: float) -> None:
        """Closes the connections on which nothing has happened for `idle_s`, as a carrier's front does."""
        border = time.monotonic() - idle_s
        for connection in [each for each in self.connections if each.idle_since < border and not each.busy]:
            connection.hang_up(reset=False)

    def abort_all(self) -> None:
        for connection in list(self.connections):
            connection.hang_up(reset=True)


class Connection(asyncio.Protocol):
    """One client. Answers keep the order of the requests: while one is awaited, the next waits in the buffer."""

    __slots__ = ("_buffer", "_deaf", "_front", "_transport", "busy", "idle_since")

    def __init__(self, front: Front) -> None:
        self._front = front
        self._buffer = b""
        self._deaf = False
        self._transport: asyncio.Transport | None = None
        self.busy = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.idle_since = time.monotonic()
        self._front.connections.add(self)
        if not self._front.greet():
            self.hang_up(reset=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._buffer = self._buffer + data if self._buffer else data
        if not self.busy:
            self._serve()

    def _serve(self) -> None:
        self.idle_since = time.monotonic()
        buffer, start = self._buffer, 0
        out: list[bytes] = []
        try:
            while start < len(buffer) and not self.busy:
                request = read_request(buffer, start, self._front.max_body)
                if request is None:
                    break
                start = request.next
                self._answer(request, out)
        except Unreadable as refusal:
            start = len(buffer)
            self._front.unreadable(refusal.status)
            self._hold(Reply(http_reply(refusal.status, _BODY, _CLOSE), end="drain"), out)
        self._buffer = buffer[start:] if start < len(buffer) else b""
        self._flush(out)

    def _answer(self, request: Request, out: list[bytes]) -> None:
        reply = self._front.respond(request)
        if request.closes:
            reply = Reply(reply, end="close") if isinstance(reply, bytes) else reply._replace(end="close")
        if type(reply) is bytes and self._front.held is None:
            out.append(reply)
        else:
            self._hold(reply if isinstance(reply, Reply) else Reply(reply), out)

    def _hold(self, reply: Reply, out: list[bytes]) -> None:
        if self._front.held is None and reply.end == "keep" and not reply.delay_us:
            out.append(reply.raw)
            return
        self._flush(out)  # what was answered before must not wait with this one
        self.busy = True
        if self._front.held is not None:
            self._front.held.append(partial(self._schedule, reply))
        else:
            self._schedule(reply)

    def _flush(self, out: list[bytes]) -> None:
        if out:
            self._write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _schedule(self, reply: Reply) -> None:
        if reply.delay_us:
            self._front.later(time.monotonic_ns() // 1000 + reply.delay_us, partial(self._release, reply))
        else:
            self._release(reply)

    def _release(self, reply: Reply) -> None:
        if reply.sent is not None:
            reply.sent()
        if reply.end == "never":
            return
        self._write(reply.raw)
        if reply.end == "drain":  # closing on a client that still writes would reset what it has not read
            self._deaf = True
            self._front.later(time.monotonic_ns() // 1000 + _DRAIN_US, partial(self.hang_up, reset=False))
            return
        if reply.end != "keep":
            self.hang_up(reset=reply.end == "reset")
            return
        self.busy = False
        if self._buffer:
            self._serve()

    def _write(self, raw: bytes) -> None:
        if raw and self._transport is not None and not self._transport.is_closing():
            self._transport.write(raw)

    def hang_up(self, *, reset: bool) -> None:
        """Closes after what was written, or at once with RST."""
        if self._transport is None:
            return
        self.busy = True
        if reset:
            self._linger_zero(self._transport)
            self._transport.abort()
        else:
            self._transport.close()

    @staticmethod
    def _linger_zero(transport: asyncio.Transport) -> None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
