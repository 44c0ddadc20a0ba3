"""The feed as others read it: from a cursor on, in order, the same each time; people's numbers and texts are joined in."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from volley.errors import UnusableInput
from volley.ledger import happenings
from volley.ledger.cursor import START, Cursor
from volley.ledger.documents import Document, moment, money
from volley.ledger.feed_schema import feed
from volley.ledger.happenings import CampaignFacts, Happening, InboundFacts, MessageFacts, OptoutFacts
from volley.ledger.inbound import by_event_id
from volley.ledger.rows import Place
from volley.ledger.spots import at_spots
from volley.message import MessageId
from volley.numbers import e164

_ROWS_AT_ONCE = 20


class Gone(UnusableInput):
    """The events behind a cursor were dropped, or it is of another ledger."""


class Wish(NamedTuple):
    """Which events: of these types (bits, happenings.mask), of this campaign (None: of all, and those of none)."""

    types: int = happenings.ALL
    campaign_id: str | None = None


class Event(NamedTuple):
    cursor: Cursor
    campaign_id: str
    happening: Happening


class Page(NamedTuple):
    """`cursor`: from where to read on; behind the last event, or behind all that there was where no more is wanted."""

    events: list[Document]
    cursor: Cursor


class FeedReader:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def latest(self) -> Cursor:
        """Behind all that there is."""
        async with self._engine.connect() as connection:
            return Cursor.behind(await _edge(connection, func.max))

    async def read(self, after: Cursor | None, wish: Wish, most: int) -> Page:
        """Up to so many events behind a cursor (None: from the oldest that is kept).

        Raises:
            Gone: some of what stood behind it is not kept any more.
        """
        async with self._engine.connect() as connection:
            head = await _edge(connection, func.max)
            start = await _checked(connection, after, head) if after else START
            found, cursor = await _events(connection, start, head, wish, most)
            return Page(await _documents(connection, found), cursor)


async def _edge(connection: AsyncConnection, of: Any) -> int:
    position: int | None = await connection.scalar(select(of(feed.c.position)))
    return position or 0


async def _checked(connection: AsyncConnection, after: Cursor, head: int) -> Cursor:
    oldest = await _edge(connection, func.min)
    # a row of which not all was read may be gone too
    needed = after.position + (after.place >= START.place)
    if needed < oldest and after != START:
        raise Gone(
            "events behind this cursor are older than event_days and gone: begin without a cursor, at the oldest kept"
        )
    if after.position > head:
        raise Gone(
            "this cursor is of another ledger, or of one that was put back to an earlier day: begin without a cursor"
        )
    return after


async def _events(
    connection: AsyncConnection, after: Cursor, head: int, wish: Wish, most: int
) -> tuple[list[Event], Cursor]:
    found: list[Event] = []
    while True:
        rows = (await connection.execute(_rows(after, head, wish))).all()
        for row in rows:
            for place, happening in enumerate(happenings.unpack(row.events)):
                cursor = Cursor(row.position, place)
                if cursor <= after or not happenings.mask([happening.type]) & wish.types:
                    continue
                found.append(Event(cursor, row.campaign_id, happening))
                if len(found) == most:
                    return found, cursor
        if len(rows) < _ROWS_AT_ONCE:
            return found, max(after, Cursor.behind(head))
        after = Cursor.behind(rows[-1].position)


def _rows(after: Cursor, head: int, wish: Wish) -> Select[Any]:
    row = feed.c
    query = select(row.position, row.campaign_id, row.events).where(
        row.position >= after.position, row.position <= head
    )
    if wish.campaign_id is not None:
        query = query.where(row.campaign_id == wish.campaign_id)
    if wish.types != happenings.ALL:
        query = query.where(row.types.bitwise_and(wish.types) != 0)
    return query.order_by(row.position).limit(_ROWS_AT_ONCE)


async def _documents(connection: AsyncConnection, events: Sequence[Event]) -> list[Document]:
    places = [_place(event) for event in events if isinstance(event.happening.facts, MessageFacts)]
    people = await at_spots(connection, places, ("reference", "recipient"))
    ids = [event.happening.facts.event_id for event in events if isinstance(event.happening.facts, InboundFacts)]
    texts = await by_event_id(connection, ids)
    return [_document(event, people, texts) for event in events]


def _place(event: Event) -> Place:
    facts = event.happening.facts
    assert isinstance(facts, MessageFacts)
    return event.campaign_id, facts.chunk, facts.offset


def _document(event: Event, people: dict[Place, tuple[Any, ...]], texts: dict[str, Document]) -> Document:
    match event.happening.facts:
        case MessageFacts() as facts:
            place = (event.campaign_id, facts.chunk, facts.offset)
            data = _message(event.happening, place, *people.get(place, (None, None)))
        case CampaignFacts(detail):
            data = orjson.loads(detail)
        case InboundFacts(event_id):
            data = texts.get(event_id, {"event_id": event_id})
        case OptoutFacts(profile, recipient):
            data = {"profile": profile, "person": e164(recipient)}
    return {
        "id": str(event.cursor),
        "type": event.happening.type,
        "at": moment(event.happening.at_us),
        "campaign_id": event.campaign_id or None,
        "data": data,
    }


def _message(happening: Happening, place: Place, reference: str | None, recipient: int | None) -> Document:
    facts = happening.facts
    assert isinstance(facts, MessageFacts)
    return {
        "message_id": str(MessageId(*place)),
        "reference": reference,
        "to": None if recipient is None else e164(recipient),
        "from": facts.sender or None,
        "status": happening.type.partition(".")[2],
        "parts": facts.parts,
        "cost": money(facts.cost_micros),
        "currency": facts.currency,
        "error_code": facts.error_code or None,
        "error_text": facts.error_text or None,
    }
