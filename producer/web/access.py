"""Each request has an id, which its answer and every line of the log about it carry; and a line of its own.

A line names the route and not the path, and nothing of query, headers or body. What comes all the time (webhooks, probes, scrapes)
is told at DEBUG only.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from time import monotonic

from aiohttp import web
from structlog.contextvars import bound_contextvars

log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CAMPAIGN = re.compile(r"[0-9a-z]{16}")
_OFTEN = ("/webhooks/", "/healthz", "/livez", "/readyz", "/metrics")
_GONE = 499
"""Nobody waited for the answer."""

_KEY = web.RequestKey("request_id", str)

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def access(request: web.Request, handler: Next) -> web.StreamResponse:
    """Must be the outermost."""
    request[_KEY] = _id(request.headers.get(REQUEST_ID, ""))
    route = _route(request)
    began, status = monotonic(), 500
    with bound_contextvars(request=request[_KEY], **_campaign(request, route)):
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as refused:
            status = refused.status
            raise
        except (ConnectionError, asyncio.CancelledError):
            status = _GONE
            raise
        finally:
            _tell(request.method, route, status, (monotonic() - began) * 1000)


async def name_request(request: web.Request, response: web.StreamResponse) -> None:
    """A signal of aiohttp, `on_response_prepare`: streams have sent their headers before a middleware sees them again."""
    response.headers[REQUEST_ID] = request.get(_KEY, "")


def _tell(method: str, route: str, status: int, ms: float) -> None:
    level = logging.DEBUG if route.startswith(_OFTEN) else logging.INFO
    if log.isEnabledFor(level):
        extra = {"method": method, "route": route, "status": status, "ms": round(ms, 1)}
        log.log(level, "%s %s %d", method, route, status, extra=extra)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "no route"


def _campaign(request: web.Request, route: str) -> dict[str, str]:
    named = request.match_info.get("campaign_id", "")
    return {"campaign": named} if route.startswith("/v1/campaigns/") and _CAMPAIGN.fullmatch(named) else {}


def _id(given: str) -> str:
    """The caller's own, if it is one."""
    return given if _ID.fullmatch(given) else secrets.token_hex(8)
