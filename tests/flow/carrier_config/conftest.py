"""Carriers that answer as a test wants it: on a real wire, one answer a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from volley.carrier.api import TelnyxApi


def error(status: int, code: str, **more: Any) -> web.Response:
    body = {"code": code, "title": "Invalid value", "detail": "+13125550101 said hello", **more}
    return web.json_response({"errors": [body]}, status=status)


class Carrier:
    """Gives its answers one a request, the last one for ever. An exception is a connection that breaks."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path_qs, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "cut":
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(1)
        if answer == "silent":
            await asyncio.sleep(5)
        return answer() if callable(answer) else web.json_response(answer)


@asynccontextmanager
async def serving(*answers: Any) -> AsyncIterator[tuple[Carrier, TelnyxApi]]:
    carrier = Carrier(*answers)
    app = web.Application()
    app.router.add_route("*", "/v2/{path:.+}", carrier.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/v2"))
        async with TelnyxApi("KEY", url, first_wait_s=0.001, timeout_s=0.5) as api:
            yield carrier, api


@asynccontextmanager
async def serving_app(app: web.Application) -> AsyncIterator[TelnyxApi]:
    async with TestServer(app) as server, TelnyxApi("KEY", str(server.make_url("/v2")), first_wait_s=0.001) as api:
        yield api
