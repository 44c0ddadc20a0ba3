"""The line out to who is called back: it leads to the internet alone, whatever names lead to, and hardly listens to what is answered."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.typedefs import Handler

from producer.callbacks.line import Answered, Line

INSIDE = "its name leads to an address that is not on the internet"
UNROUTED = "3ffe::1"
"""An address of the internet, of a network that was given back: nobody is there."""


class Rebinding(AbstractResolver):
    """The name leads elsewhere each time that it is looked at; to the last from then on. With spaces between: to all of them."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = list(hosts)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.hosts[min(self.asked, len(self.hosts) - 1)].split()
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=each, port=port, family=_family(each), proto=0, flags=0) for each in found
        ]

    async def close(self) -> None:
        pass


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[object]]]:
    """A port of this machine, and who connected to it."""
    met: list[object] = []

    def meet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(writer.get_extra_info("peername"))
        writer.close()

    async with await asyncio.start_server(meet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], met


async def test_a_name_that_leads_inside_is_never_connected_to() -> None:
    async with listening() as (port, met):
        for inside in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"):
            resolver = Rebinding(inside)
            line = Line(resolver=resolver)
            answered = await line.post(f"https://hooks.example.com:{port}/in", b"{}", {})
            await line.close()
            assert resolver.asked == 1
            assert (answered.status, answered.error) == (0, INSIDE)
        assert met == []


async def test_a_name_that_is_public_when_it_is_looked_at_and_private_later_leads_nowhere() -> None:
    """One look a call: the address that is checked is the one that the socket is made for."""
    async with listening() as (port, met):
        resolver = Rebinding(UNROUTED, "127.0.0.1")
        line = Line(resolver=resolver)
        first = await line.post(f"https://hooks.example.com:{port}/in", b"{}", {})
        assert resolver.asked == 1
        assert (first.status, INSIDE in first.error) == (0, False), "it was let out, and nobody is there"
        said = [(await line.post(f"https://hooks.example.com:{port}/in", b"{}", {})).error for _ in range(2)]
        await line.close()
        assert (said, met) == ([INSIDE] * 2, [])


async def test_a_name_that_leads_to_both_at_once_leads_to_the_public_one_alone() -> None:
    async with listening() as (port, met):
        line = Line(resolver=Rebinding(f"{UNROUTED} 127.0.0.1"))
        answered = await line.post(f"https://hooks.example.com:{port}/in", b"{}", {})
        await line.close()
        assert (answered.status, met) == (0, [])


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    """Where this machine answers so."""
    app = web.Application()
    app.router.add_route("*", "/in", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/in"
    finally:
        await runner.cleanup()


async def posted(url: str) -> Answered:
    line = Line(local=True)
    try:
        return await line.post(url, b"{}", {})
    finally:
        await line.close()


async def test_a_redirect_is_not_followed() -> None:
    async with listening() as (port, met):

        async def elsewhere(_request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"http://127.0.0.1:{port}/in"})

        async with answering(elsewhere) as url:
            answered = await posted(url)
        assert (answered.status, answered.taken, met) == (307, False, [])


async def test_an_answer_that_never_ends_is_an_answer_and_hardly_read() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except ConnectionError:
            return response

    async with answering(endless) as url:
        assert await posted(url) == Answered(200)


async def test_cookies_of_an_answer_are_not_kept() -> None:
    given: list[str | None] = []

    async def tracking(request: web.Request) -> web.Response:
        given.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "who=you"})

    async with answering(tracking) as url:
        line = Line(local=True)
        for _ in range(2):
            assert (await line.post(url.replace("127.0.0.1", "localhost"), b"{}", {})).taken
        await line.close()
    assert given == [None, None]
