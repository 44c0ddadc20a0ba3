"""What is watched, live: one stream of server-sent events a watcher. Nothing is gathered twice for two of them, and each gets
only what has changed.
"""

import time
from collections.abc import Mapping
from typing import Annotated

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError

from producer.web import excerpt
from producer.web.outflow import cut_off, write
from producer.web.routes import Call, Route
from producer.web.watchers import Watchers
from volley.errors import TryAgainLater

EVERY_S = 1.0
LIFE_S = 60.0
"""A stream ends after that, and whoever watches asks again."""
WRITE_S = 10.0
"""Who does not read for so long is let go."""
EVENTS = "text/event-stream"


class Watch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    campaigns: Annotated[
        int, Field(ge=1, le=excerpt.MOST_CAMPAIGNS, description="open campaigns that are told, the newest")
    ] = excerpt.CAMPAIGNS


async def stream(call: Call) -> web.StreamResponse:
    watchers, most = call.desk.watchers, call.query(Watch).campaigns
    with watchers.seats.seat():
        return await _told(call, watchers, most)


async def _told(call: Call, watchers: Watchers, most: int) -> web.StreamResponse:
    # before the first byte: where Redis is away at once, that is an answer of its own
    now = await watchers.sections(call.desk.sight, call.desk.reader, most)
    response = web.StreamResponse(
        headers={
            "Content-Type": EVENTS,
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(call.request)
    sent: dict[str, bytes] = {}
    end_s = time.monotonic() + LIFE_S
    try:
        await write(response, _event("hello", orjson.dumps(_hello(call))), WRITE_S)
        while True:
            await write(response, _changes(now, sent), WRITE_S)
            if await watchers.over(EVERY_S) or time.monotonic() >= end_s or not call.admitted():
                break
            now = await watchers.sections(call.desk.sight, call.desk.reader, most)
        await write(response, _event("over", b"{}"), WRITE_S)
    except (TryAgainLater, RedisError):
        await write(response, _event("away", b'{"what":"redis"}'), WRITE_S)
    except (TimeoutError, ConnectionError):
        cut_off(call.request)  # it went away, or does not read
    return response


def _hello(call: Call) -> dict[str, object]:
    """Who watches, and what the page may offer: the verbs that the API has, to a key that may act."""
    verbs = ("pause", "resume", "cancel", "retry")
    paths = {resource.canonical for resource in call.request.app.router.resources()}
    may = [verb for verb in verbs if any(path.endswith(f":{verb}") for path in paths)] if call.who.allows("ops") else []
    return {"name": call.who.name, "scopes": sorted(call.who.scopes), "mode": call.who.mode, "may": may}


def _changes(now: Mapping[str, bytes], sent: dict[str, bytes]) -> bytes:
    """The sections that are not as they were sent last; `sent` is brought up to date."""
    changed = {name: value for name, value in now.items() if sent.get(name) != value}
    sent.update(changed)
    return _event(
        "facts", b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in changed.items()) + b"}"
    )


def _event(kind: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)


ROUTES = (
    Route(
        "GET",
        "/v1/facts/stream",
        "watch_facts",
        "The snapshot, live: each second what of it has changed",
        "watching",
        "read",
        stream,
        {200: (EVENTS,)},
        query=Watch,
        description="Server-sent events: `hello` (whose key it is, and what it may do), then each second `facts`: an object of those"
        " sections that have changed (the first has all), lists cut to what a page shows, `more` telling by how much. `away`: Redis"
        " does not answer. The stream ends after a minute (`over`): ask again.",
    ),
)
