"""What the sending path makes of everything a network can do, and what the other side really got."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiohttp import ClientTimeout
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter
from multidict import CIMultiDict

from volley.carrier.attempt import Attempt, LineSpoiled, TooLate
from volley.carrier.outcome import LATE, Accepted, NotSent, Outcome, PerhapsSent, Refused, Throttled
from volley.carrier.telnyx import MAX_ANSWER, Carrier, body

BODY = body("+13125550101", "+13125550001", "Good day", "16fd2706-8baf-433b-82eb-8c7fada847da")
KEY = "0123456789abcdef-0-17-g1"
FAR = 1e12
TAKEN = b'{"data":{"id":"b0c7e8cb-6227-4c74-9f32-c7f80c30934b","encoding":"GSM-7","parts":1}}'
FULL = "the carrier's queue for this sender is full"
ID = "b0c7e8cb-6227-4c74-9f32-c7f80c30934b"


pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


def answer(status: int, content: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def error(code: str, title: str = "No", detail: str = "") -> bytes:
    return f'{{"errors":[{{"code":"{code}","title":"{title}","detail":"{detail}"}}]}}'.encode()


class Line:
    """One connection as the server sees it. Every byte that comes in is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        self._reader, self._writer, self._asked = reader, writer, asked
        self.received = b""
        self.requests: list[bytes] = []

    async def request(self) -> None:
        """Wait for one whole request."""
        start = len(self.received)
        while not self._whole(self.received[start:]):
            await self._more()
        self.requests.append(self.received[start:])
        self._asked.set()

    async def swallow(self) -> None:
        """Read until the other side is done."""
        while True:
            await self._more()

    async def _more(self) -> None:
        data = await self._reader.read(65536)
        if not data:
            raise EOFError
        self.received += data

    @staticmethod
    def _whole(data: bytes) -> bool:
        head, split, rest = data.partition(b"\r\n\r\n")
        if not split:
            return False
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return len(rest) >= int(length.split(b":")[1])

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Server:
    def __init__(self, play: Callable[[Line], Awaitable[None]]) -> None:
        self._play = play
        self.asked = asyncio.Event()
        self.lines: list[Line] = []

    @property
    def requests(self) -> list[bytes]:
        return [request for line in self.lines for request in line.requests]

    @property
    def received(self) -> bytes:
        return b"".join(line.received for line in self.lines)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer, self.asked)
        self.lines.append(line)
        try:
            await self._play(line)
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def playing(
    play: Callable[[Line], Awaitable[None]], *, scheme: str = "http", timeout_s: float = 5.0, concurrency: int = 5
) -> AsyncIterator[tuple[Server, Carrier]]:
    server = Server(play)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    url = f"{scheme}://127.0.0.1:{port}/v2"
    async with Carrier("KEY0123", url, concurrency=concurrency, http_timeout_s=timeout_s) as carrier:
        yield server, carrier
    listener.close()


def replying(*answers: bytes) -> Callable[[Line], Awaitable[None]]:
    """Each line answers its requests in turn, then reads on."""

    async def play(line: Line) -> None:
        for data in answers:
            await line.request()
            line.write(data)
        await line.swallow()

    return play


def ending(data: bytes, *, reset: bool = False) -> Callable[[Line], Awaitable[None]]:
    """Read a request, write `data`, and the connection is over."""

    async def play(line: Line) -> None:
        await line.request()
        line.write(data)
        if reset:
            line.reset()

    return play


async def send(carrier: Carrier, deadline: float = FAR) -> Outcome:
    outcome, sent_at = await carrier.send(BODY, KEY, deadline)
    assert (sent_at == 0.0) == isinstance(outcome, NotSent)
    return outcome


async def test_a_message_goes_out_once_with_its_key_and_its_exact_bytes() -> None:
    async with playing(replying(answer(200, TAKEN, "Set-Cookie: a=b"), answer(200, TAKEN))) as (server, carrier):
        assert await send(carrier) == Accepted(ID, "GSM-7", 1)
        await send(carrier)
    head, _, sent = server.requests[1].partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    names = [header.split(b":")[0].lower() for header in headers]
    assert (line, sent) == (b"POST /v2/messages HTTP/1.1", BODY)
    assert f"Idempotency-Key: {KEY}".encode() in headers
    assert b"Authorization: Bearer KEY0123" in headers
    assert b"Content-Type: application/json" in headers
    assert len(set(names)) == len(names)
    assert b"cookie" not in names
    assert len(server.lines) == 1


async def test_a_refused_connection_is_provably_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v2"
        async with Carrier("KEY", url, concurrency=1, http_timeout_s=5) as carrier:
            assert await send(carrier) == NotSent("no connection")


async def test_an_unknown_name_is_provably_not_sent() -> None:
    async with Carrier("KEY", "http://carrier.invalid/v2", concurrency=1, http_timeout_s=2) as carrier:
        assert isinstance(await send(carrier), NotSent)


async def test_a_failed_handshake_is_provably_not_sent() -> None:
    async with playing(ending(b"no TLS here"), scheme="https", timeout_s=1) as (server, carrier):

        async def play(line: Line) -> None:
            await line._more()
            line.write(b"this is no TLS at all\r\n")
            await line.swallow()

        server._play = play
        assert await send(carrier) == NotSent("no secure connection")
    assert b"POST" not in server.received


@pytest.mark.parametrize("reset", [True, False])
async def test_a_connection_lost_before_the_answer_is_perhaps_sent_and_never_repeated(reset: bool) -> None:
    async with playing(ending(b"", reset=reset)) as (server, carrier):
        outcome = await send(carrier)
        assert isinstance(outcome, PerhapsSent)
        assert outcome.status == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1", b"HTTP/1.1 20", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", b"\0\0\0\0 what?"]
)
async def test_an_answer_cut_before_its_status_line_is_proven_is_perhaps_sent(data: bytes) -> None:
    async with playing(ending(data)) as (server, carrier):
        assert isinstance(await send(carrier), PerhapsSent)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-", Accepted()),
        (b"HTTP/1.1 500 No\r\nServer: x\r\nContent-", PerhapsSent("the answer was cut", 500)),
        (answer(200, TAKEN)[:-9], Accepted()),
        (answer(200, b"<html>"), Accepted()),
        (answer(200, b'{"data":[]}'), Accepted()),
        (answer(201, b""), Accepted()),
        (answer(200, b"\x1f\x8b\x08garbage", "Content-Encoding: gzip"), Accepted()),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(200, TAKEN), Accepted(ID, "GSM-7", 1)),
    ],
)
async def test_a_complete_2xx_status_line_is_acceptance_whatever_follows(data: bytes, expected: Outcome) -> None:
    async with playing(ending(data)) as (server, carrier):
        assert await send(carrier) == expected
    assert len(server.requests) == 1


@pytest.mark.parametrize("apart", [True, False])
async def test_a_2xx_with_a_garbled_body_is_never_taken_for_unsent(apart: bool) -> None:
    async def play(line: Line) -> None:
        await line.request()
        head, garbage = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n"
        line.write(head if apart else head + garbage)
        await asyncio.sleep(0.05)
        line.write(garbage)
        await line.swallow()

    async with playing(play, timeout_s=0.3) as (server, carrier):
        # In one piece aiohttp keeps the status line to itself: unknown is then the honest answer.
        assert await send(carrier) == (Accepted() if apart else PerhapsSent("the answer is not HTTP", 0))
    assert len(server.requests) == 1


async def test_a_2xx_reset_in_its_body_is_acceptance() -> None:
    async def play(line: Line) -> None:
        await line.request()
        line.write(answer(200, TAKEN)[:-9])
        await asyncio.sleep(0.05)
        line.reset()

    async with playing(play) as (server, carrier):
        assert await send(carrier) == Accepted()
    assert len(server.requests) == 1


async def test_a_2xx_whose_body_never_ends_is_acceptance() -> None:
    async with playing(replying(answer(200, TAKEN)[:-9]), timeout_s=0.3) as (server, carrier):
        assert await send(carrier) == Accepted()
    assert len(server.requests) == 1


async def test_of_a_huge_answer_only_a_little_is_read_and_its_line_is_not_used_again() -> None:
    huge = b'{"data":{"id":"' + b"x" * (4 * MAX_ANSWER) + b'"}}'
    async with playing(replying(answer(200, huge))) as (server, carrier):
        assert await send(carrier) == Accepted()
        assert await send(carrier) == Accepted()
    assert len(server.lines) == 2


async def test_a_stale_kept_line_is_perhaps_sent_and_never_repeated() -> None:
    async def play(line: Line) -> None:
        await line.request()
        line.write(answer(200, TAKEN))
        await line.request()
        line.reset()

    async with playing(play) as (server, carrier):
        assert await send(carrier) == Accepted(ID, "GSM-7", 1)
        assert isinstance(await send(carrier), PerhapsSent)
    assert (len(server.requests), len(server.lines)) == (2, 1)


async def test_a_kept_line_that_was_seen_to_close_is_replaced() -> None:
    async with playing(ending(answer(200, TAKEN))) as (server, carrier):
        await send(carrier)
        await asyncio.sleep(0.05)
        assert await send(carrier) == Accepted(ID, "GSM-7", 1)
    assert (len(server.requests), len(server.lines)) == (2, 2)


async def test_an_unasked_answer_on_a_kept_line_is_never_taken_for_ours() -> None:
    async with playing(replying(answer(200, TAKEN))) as (server, carrier):
        await send(carrier)
        assert carrier._session.connector is not None
        [[(kept, _)]] = carrier._session.connector._conns.values()
        server.lines[0].write(answer(200, b'{"data":{"id":"somebody-elses"}}'))
        async with asyncio.timeout(30):
            while not kept.should_close:  # noqa: ASYNC110 - until it has read that; no event tells of it
                await asyncio.sleep(0.005)
        assert isinstance(await send(carrier), NotSent)
        await asyncio.sleep(0.05)
        assert server.received == server.requests[0]
        assert await send(carrier) == Accepted(ID, "GSM-7", 1)
    assert len(server.lines) == 2


async def test_silence_is_perhaps_sent() -> None:
    async with playing(replying(b""), timeout_s=0.2) as (server, carrier):
        assert await send(carrier) == PerhapsSent("no answer in time", 0)
    assert len(server.requests) == 1


async def test_waiting_for_a_free_line_in_vain_is_provably_not_sent() -> None:
    async with playing(replying(b""), timeout_s=0.3, concurrency=1) as (server, carrier):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(send(carrier))
            await asyncio.sleep(0)
            carrier._session._timeout = ClientTimeout(total=0.1)
            second = group.create_task(send(carrier))
        assert isinstance(first.result(), PerhapsSent)
        assert second.result() == NotSent("no connection in time")
    assert len(server.requests) == 1


async def test_a_late_message_never_reaches_the_carrier_and_its_line_serves_the_next() -> None:
    async with playing(replying(answer(200, TAKEN), answer(200, TAKEN))) as (server, carrier):
        assert await send(carrier, time.monotonic()) == NotSent(LATE)
        await asyncio.sleep(0.05)
        assert server.received == b""
        assert await send(carrier, time.monotonic() + 60) == Accepted(ID, "GSM-7", 1)
        assert await send(carrier, time.monotonic() - 1) == NotSent(LATE)
        await asyncio.sleep(0.05)
    assert (len(server.requests), len(server.lines)) == (1, 1)
    assert server.received == server.requests[0]


@pytest.mark.parametrize("fault", ["late", "closing", "no line", "unasked"])
async def test_the_last_look_before_the_write_lets_no_byte_out(fault: str) -> None:
    async with playing(Line.swallow) as (server, carrier):
        loop = asyncio.get_running_loop()
        handler, (url, *_) = ResponseHandler(loop), carrier._urls.values()
        transport, _ = await loop.create_connection(lambda: handler, str(url.host), url.port)
        writer = StreamWriter(handler, loop)
        await writer.write_headers("POST / HTTP/1.1", CIMultiDict({"Host": "x"}))
        attempt = Attempt(BODY, KEY, 0.0 if fault == "late" else FAR)
        attempt.line = None if fault == "no line" else handler
        if fault == "closing":
            transport.close()
        if fault == "unasked":
            handler.data_received(answer(408))
        with pytest.raises(TooLate if fault == "late" else LineSpoiled):
            await attempt.write_with_length(writer, len(BODY))
        assert attempt.sent_at == 0.0
        transport.close()
        await asyncio.sleep(0.05)
        assert [line.received for line in server.lines] == [b""]


async def test_a_cancelled_send_is_cancelled_and_was_written_once() -> None:
    async with playing(replying(b"")) as (server, carrier):
        task = asyncio.create_task(carrier.send(BODY, KEY, FAR))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.05)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (answer(429, error("10011"), "Retry-After: 7"), Throttled(7.0, "account", 429, "10011", "No: too many requests")),
        (answer(429, b"", "x-ratelimit-reset: 3"), Throttled(3.0, "account", 429, "", "too many requests")),
        (answer(400, error("40318"), "Retry-After: 7"), Throttled(60.0, "sender", 400, "40318", f"No: {FULL}")),
        (answer(401, error("10009")), Refused(401, "10009", "No: the API key was refused: set TELNYX_API_KEY")),
        (answer(400, error("40310", "Bad +13125550101", "text")), Refused(400, "40310", "Bad …: not a valid recipient")),
        (answer(408, error("10008", "Timeout")), PerhapsSent("HTTP 408 Timeout", 408)),
        (answer(409, error("10036", "Busy")), PerhapsSent("HTTP 409 Busy", 409)),
        (answer(500), PerhapsSent("HTTP 500", 500)),
        (answer(302, b"", "Location: /v2/messages"), PerhapsSent("HTTP 302", 302)),
    ],
)  # fmt: skip
async def test_every_status_has_its_outcome_and_costs_one_request(data: bytes, expected: Outcome) -> None:
    async with playing(replying(data, data)) as (server, carrier):
        assert await send(carrier) == expected
        assert len(server.requests) == 1
        assert await send(carrier) == expected
    assert (len(server.requests), len(server.lines)) == (2, 1)
