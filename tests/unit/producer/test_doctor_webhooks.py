"""Where the proxy is as the how-to has it, the doctor does not call it ill; and it tells a proxy's refusal from ours."""

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from producer.doctor.webhooks import healthy, refuses
from producer.web.webhooks import UNSIGNED


@pytest.mark.parametrize(
    ("health", "hook", "said", "expected"),
    [
        (200, 403, UNSIGNED, ("ok", "ok")),
        (404, 403, UNSIGNED, ("ok", "ok")),
        (403, 403, UNSIGNED, ("ok", "ok")),
        (403, 403, "<html><h1>403 Forbidden</h1>", ("ok", "warning")),
        (404, 404, "", ("ok", "failed")),
        (200, 200, "", ("ok", "failed")),
        (503, 403, UNSIGNED, ("failed", "ok")),
        (302, 302, "", ("failed", "failed")),
    ],
)
async def test_what_is_answered_there_is_judged(health: int, hook: int, said: str, expected: tuple[str, str]) -> None:
    async def health_of(_request: web.Request) -> web.Response:
        return web.Response(status=health)

    async def hook_of(_request: web.Request) -> web.Response:
        return web.Response(status=hook, text=said)

    app = web.Application()
    app.router.add_get("/healthz", health_of)
    app.router.add_post("/hook", hook_of)
    async with TestServer(app) as server, ClientSession() as session:
        url = str(server.make_url("")).rstrip("/")
        found = await healthy(session, "webhooks", url), await refuses(session, "webhooks", f"{url}/hook")
    assert tuple(verdict.state for verdict in found) == expected
