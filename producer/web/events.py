"""The feed over HTTP: page by page, or live as server-sent events. Both go on from a cursor and tell the same."""

import time
from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from producer.web.models import Moment
from producer.web.outflow import cut_off, write
from producer.web.problems import GONE, Problem
from producer.web.routes import Call, Route, answer
from volley.ledger.cursor import Cursor
from volley.ledger.feed_reader import FeedReader, Gone, Page, Wish
from volley.ledger.happenings import mask, wanted

STREAM = "text/event-stream"
LATEST = "latest"
_MOST = 1000
_AT_ONCE = 200
"""Events in memory for one stream."""
_SLOWEST_S = 5.0
"""A reader that takes nothing for so long is cut off, and goes on from its cursor when it comes back."""
_HEARTBEAT_S = 3.0
"""So soon a key that was revoked meanwhile is noticed, too."""
_LIFE_S = 3600.0
"""Then a stream ends, and its reader comes back."""


class EventsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[
        str | None,
        Field(
            max_length=40,
            description="`next_cursor` of the page before, or an event's id; `latest`; none: the oldest kept",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=_MOST, description="how many at most")] = 100
    types: Annotated[
        str | None, Field(max_length=1000, description="with commas between: `message.delivered`, `message.*`")
    ] = None
    campaign: Annotated[str | None, Field(pattern=r"^[0-9a-z]{16}$", description="only of this campaign")] = None


class EventDocument(BaseModel):
    """`id` is also the cursor behind it. `data` depends on the type: docs/how-to/events-and-callbacks.md."""

    model_config = ConfigDict(title="Event")

    id: str
    type: str
    at: Moment
    campaign_id: str | None
    data: dict[str, Any]


class EventPage(BaseModel):
    """In order. `next_cursor` goes on behind the last event, or behind all that there was where no more is wanted."""

    events: list[EventDocument]
    next_cursor: str


async def events(call: Call) -> web.StreamResponse:
    asked = call.query(EventsQuery)
    wish = Wish(mask(wanted(asked.types.split(",") if asked.types else ())), asked.campaign)
    live = STREAM in call.request.headers.get("Accept", "")
    given = (call.request.headers.get("Last-Event-ID", "") if live else "") or asked.cursor
    reader = FeedReader(call.desk.engine)
    cursor = await reader.latest() if given == LATEST else Cursor.parse(given) if given else None
    page = await _page(reader, cursor, wish, _AT_ONCE if live else asked.limit)
    if live:
        return await _stream(call, reader, page, wish)
    return answer({"events": page.events, "next_cursor": str(page.cursor)})


async def _page(reader: FeedReader, cursor: Cursor | None, wish: Wish, most: int) -> Page:
    try:
        return await reader.read(cursor, wish, most)
    except Gone as error:
        raise Problem(GONE, str(error)) from None


async def _stream(call: Call, reader: FeedReader, page: Page, wish: Wish) -> web.StreamResponse:
    headers = {"Content-Type": STREAM, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    with call.desk.streams.seat():
        try:
            await response.prepare(call.request)
            await _follow(call, response, reader, page, wish)
        except (TimeoutError, ConnectionError):
            cut_off(call.request)
        except Gone:
            pass  # it fell behind for days: when it comes back it is told
    return response


async def _follow(call: Call, response: web.StreamResponse, reader: FeedReader, page: Page, wish: Wish) -> None:
    heads, end, cursor = call.desk.heads, time.monotonic() + _LIFE_S, None
    while call.admitted() and not heads.over and time.monotonic() < end:
        # the cursor also without an event: a reader of a quiet campaign comes back to where it was
        told = b"".join(map(_event, page.events)) or (b"id: %s\n\n" % str(page.cursor).encode())
        if page.events or cursor is None or cursor != page.cursor:
            await write(response, told, _SLOWEST_S)
        cursor = page.cursor
        while not await heads.moved(reader, cursor, _HEARTBEAT_S):
            if heads.over or not call.admitted():
                return
            await write(response, b":\n\n", _SLOWEST_S)
        page = await reader.read(cursor, wish, _AT_ONCE)


def _event(document: dict[str, Any]) -> bytes:
    head = f"id: {document['id']}\nevent: {document['type']}\ndata: ".encode()
    return head + orjson.dumps(document) + b"\n\n"


ROUTES = (
    Route(
        "GET",
        "/v1/events",
        "list_events",
        "What happened, in order, from a cursor on",
        "events",
        "read",
        events,
        {200: EventPage},
        query=EventsQuery,
        problems=(GONE,),
        description="With `Accept: text/event-stream` the same live, as server-sent events whose ids are cursors (`Last-Event-ID`).",
    ),
)
