"""The protocol at its edges, over real sockets: split reads, requests in one read, sizes, framing, closing."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from volley.sandbox.config import SandboxConfig
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.http import Unreadable, read_request
from volley.sandbox.server import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxConfig(pool=(("long_code", 2, 0),), max_body=2000)) as running:
        yield running


def _post(sandbox: Sandbox, text: str, headers: str = "", version: str = "1.1") -> bytes:
    body = json.dumps({"from": sandbox.senders[0], "to": "+12025550123", "text": text}).encode()
    head = f"POST /v2/messages HTTP/{version}\r\nHost: x\r\nAUTHORIZATION:  Bearer KEY_SANDBOX \r\n{headers}"
    return f"{head}content-LENGTH: {len(body)}\r\n\r\n".encode() + body


class Wire:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, sandbox: Sandbox) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", sandbox.port))

    async def answer(self) -> tuple[int, bytes]:
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)

    async def text(self) -> str:
        status, body = await self.answer()
        assert status == 200, body
        return str(json.loads(body)["data"]["text"])

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            return await self.reader.read() == b""


async def test_a_request_may_come_byte_by_byte(sandbox: Sandbox) -> None:
    wire = await Wire.to(sandbox)
    for byte in _post(sandbox, "slowly"):
        wire.writer.write(bytes((byte,)))
        await wire.writer.drain()
        await asyncio.sleep(0)
    assert await wire.text() == "slowly"
    wire.writer.close()


async def test_requests_in_one_read_are_answered_in_order(sandbox: Sandbox) -> None:
    wire = await Wire.to(sandbox)
    third = _post(sandbox, "three")
    wire.writer.write(_post(sandbox, "one") + _post(sandbox, "two") + third[:50])
    assert [await wire.text() for _ in range(2)] == ["one", "two"]
    wire.writer.write(third[50:])
    assert await wire.text() == "three"
    wire.writer.close()


async def test_a_slow_answer_keeps_its_place(sandbox: Sandbox) -> None:
    sandbox.set_faults(FaultRule(kind="latency", ms=(50, 50), first=1))
    wire = await Wire.to(sandbox)
    wire.writer.write(_post(sandbox, "slow") + _post(sandbox, "quick"))
    assert [await wire.text() for _ in range(2)] == ["slow", "quick"]
    wire.writer.close()


async def test_a_connection_is_kept_until_the_client_asks_for_its_end(sandbox: Sandbox) -> None:
    wire = await Wire.to(sandbox)
    for turn in range(3):
        wire.writer.write(_post(sandbox, f"turn {turn}"))
        assert await wire.text() == f"turn {turn}"
    wire.writer.write(_post(sandbox, "last", "Connection: close\r\n"))
    assert await wire.text() == "last"
    assert await wire.ended()


async def test_an_old_client_is_answered_and_left(sandbox: Sandbox) -> None:
    wire = await Wire.to(sandbox)
    wire.writer.write(_post(sandbox, "old", version="1.0"))
    assert await wire.text() == "old"
    assert await wire.ended()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST /v2/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
        (b"POST /v2/messages HTTP/1.1\r\nContent-Length: 2001\r\n\r\n", 413),
        (b"POST /v2/messages HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"POST /v2/messages HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v2/messages HTTP/1.1\r\nX: " + b"a" * 20_000, 431),
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.\r\n\r\n", 400),
    ],
)
async def test_what_cannot_be_read_is_refused_and_the_connection_ends(
    sandbox: Sandbox, raw: bytes, status: int
) -> None:
    wire = await Wire.to(sandbox)
    wire.writer.write(raw)
    assert (await wire.answer())[0] == status
    assert await wire.ended()
    assert sandbox.arrivals() == []


async def test_what_came_before_something_unreadable_is_still_answered(sandbox: Sandbox) -> None:
    wire = await Wire.to(sandbox)
    wire.writer.write(_post(sandbox, "good") + b"nonsense\r\n\r\n")
    assert await wire.text() == "good"
    assert (await wire.answer())[0] == 400


async def test_a_body_may_come_after_a_pause_and_expect_is_ignored(sandbox: Sandbox) -> None:
    wire = await Wire.to(sandbox)
    head, body = _post(sandbox, "patient", "Expect: 100-continue\r\n").split(b"\r\n\r\n")
    wire.writer.write(head + b"\r\n\r\n")
    await asyncio.sleep(0.02)
    wire.writer.write(body)
    assert await wire.text() == "patient"
    wire.writer.close()


async def test_an_idle_connection_is_closed() -> None:
    async with Sandbox(SandboxConfig(idle_s=0.01)) as sandbox:
        wire = await Wire.to(sandbox)
        assert await wire.ended()


def test_a_header_is_found_only_at_the_beginning_of_a_line() -> None:
    raw = b"GET /x HTTP/1.1\r\nX-Authorization: no\r\nAuthorization: yes\r\nLast: end\r\n\r\n"
    request = read_request(raw, 0, 100)
    assert request is not None
    assert request.header(b"\r\nauthorization:") == b"yes"
    assert request.header(b"\r\nlast:") == b"end"
    assert request.header(b"\r\nabsent:") == b""
    assert request.next == len(raw)


def test_a_request_is_none_until_its_last_byte() -> None:
    raw = b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    assert all(read_request(raw[:end], 0, 100) is None for end in range(len(raw)))
    request = read_request(b"?" + raw, 1, 100)
    assert request is not None
    assert request.body == b"abc"
    with pytest.raises(Unreadable):
        read_request(raw, 0, 2)
