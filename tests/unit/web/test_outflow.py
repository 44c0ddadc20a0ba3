"""Readers of long answers: so many at once, and none that takes nothing."""

import asyncio
import contextlib
import socket

import pytest
from aiohttp import web

from producer.web.outflow import Seats, cut_off, write
from producer.web.problems import Problem


def test_one_reader_too_many_is_told_to_come_again() -> None:
    seats = Seats(2, "exports")
    with seats.seat():
        with seats.seat(), pytest.raises(Problem, match="2 exports") as refused, seats.seat():
            pass
        assert (refused.value.kind.status, refused.value.headers["Retry-After"]) == (429, "10")
        with seats.seat():
            assert seats.taken == 2
    assert seats.taken == 0


async def test_a_reader_that_takes_nothing_is_cut_off_and_holds_nothing() -> None:
    over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await write(response, b"x" * 65536, 0.2)
        except TimeoutError:
            cut_off(request)
            over.set_result("cut")
        return response

    app = web.Application()
    app.router.add_get("/", endless)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with socket.create_connection(runner.addresses[0]) as reader:
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(20):
            assert await over == "cut"
        await asyncio.to_thread(_read_to_the_reset, reader)
    await runner.cleanup()


def _read_to_the_reset(reader: socket.socket) -> None:
    """What had come may still be there; then it is a reset, and no end that looks like a whole answer's."""
    reader.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        while reader.recv(1 << 16):
            pass
        pytest.fail("it ended as if it were whole")
