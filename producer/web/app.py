"""The aiohttp application of `volley serve`: webhooks in, health and metrics out."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from producer.web.access import access, name_request
from producer.web.webhooks import Webhooks

Ping = Callable[[], Awaitable[object]]
Facts = Callable[[], dict[str, Any]]
Handler = Callable[[web.Request], Awaitable[web.Response]]

_HEALTH_S = 1.0


class Malformed(logging.Filter):
    """What is no HTTP is counted, and not logged: anybody may send it, and the log would repeat what it was."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self._counts = counts

    def filter(self, record: logging.LogRecord) -> bool:
        malformed = record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError)
        self._counts["malformed"] += malformed
        return not malformed


def application(webhooks: Webhooks, ping: Ping, facts: Facts, metrics: Handler) -> web.Application:
    """`ping` raises when Redis does not answer; `facts` are counters to show beside; `metrics` answers Prometheus."""
    app = web.Application(middlewares=[access])
    app.on_response_prepare.append(name_request)
    app.router.add_post("/webhooks/telnyx/{account}", webhooks.receive)
    app.router.add_post("/webhooks/telnyx/{account}/failover", webhooks.receive_failover)
    app.router.add_get("/healthz", _health(ping, facts))
    app.router.add_get("/livez", _live)
    app.router.add_get("/readyz", _ready(ping))
    app.router.add_get("/metrics", metrics)
    return app


def _health(ping: Ping, facts: Facts) -> Handler:
    async def health(_request: web.Request) -> web.Response:
        redis = await _answers(ping)
        document = {"status": "ok" if redis else "redis is away", **facts()}
        return web.json_response(document, status=200 if redis else 503)

    return health


async def _live(_request: web.Request) -> web.Response:
    """The loop turns. Redis is not asked: a restart of this process brings no Redis back."""
    return web.Response(text="ok")


def _ready(ping: Ping) -> Handler:
    async def ready(_request: web.Request) -> web.Response:
        return web.Response(text="ok") if await _answers(ping) else web.Response(text="redis is away", status=503)

    return ready


async def _answers(ping: Ping) -> bool:
    try:
        async with asyncio.timeout(_HEALTH_S):
            await ping()
    except Exception:  # noqa: BLE001 - whatever went wrong, the answer is that Redis is not well
        return False
    return True
