"""Bodies in bounded memory: refused by what they say of themselves, else at the first byte too many."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from producer.web.body import Bodies

LARGEST = 1000


@asynccontextmanager
async def asking(bodies: Bodies) -> AsyncIterator[Callable[..., object]]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await bodies.read(request))

    app = web.Application()
    app.router.add_post("/", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:

        async def ask(body: object, **headers: str) -> tuple[int, bytes]:
            async with session.post(server.make_url("/"), data=body, headers=headers) as found:  # type: ignore[arg-type]
                return found.status, await found.read()

        yield ask
    assert bodies.held == 0, "what was refused or read is not held"


async def pieces(count: int, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100
        await asyncio.sleep(pause_s)


async def test_a_body_comes_as_it_was_sent_whole_or_in_chunks() -> None:
    async with asking(Bodies(LARGEST)) as ask:
        assert await ask(b"y" * LARGEST) == (200, b"y" * LARGEST)
        assert await ask(pieces(10)) == (200, b"x" * LARGEST)
        assert await ask(b"") == (200, b"")


async def test_one_byte_more_is_too_many_announced_or_not() -> None:
    async with asking(Bodies(LARGEST)) as ask:
        assert (await ask(b"y" * (LARGEST + 1)))[0] == 413
        assert (await ask(pieces(11)))[0] == 413


async def test_a_compressed_body_is_not_unpacked() -> None:
    async with asking(Bodies(LARGEST)) as ask:
        assert (await ask(b"y", **{"Content-Encoding": "gzip"}))[0] == 415
        assert (await ask(b"y", **{"Content-Encoding": "identity"}))[0] == 200


async def test_a_body_that_does_not_end_is_given_up() -> None:
    async with asking(Bodies(LARGEST, patience_s=0.05)) as ask:
        assert (await ask(pieces(3, pause_s=0.1)))[0] == 408


async def test_all_bodies_together_are_bounded_too() -> None:
    bodies = Bodies(LARGEST, most=1500)
    async with asking(bodies) as ask:
        answers = await asyncio.gather(*(ask(pieces(9, pause_s=0.01)) for _ in range(4)))
        assert sorted({status for status, _ in answers}) in ([200, 503], [503])
        assert (await ask(pieces(9)))[0] == 200


@pytest.mark.parametrize("size", [0, 1, LARGEST])
async def test_what_is_allowed_is_read(size: int) -> None:
    async with asking(Bodies(LARGEST)) as ask:
        assert (await ask(b"z" * size))[1] == b"z" * size
