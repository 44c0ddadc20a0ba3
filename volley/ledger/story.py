"""The whole story of one message: waits and why, sender and why, attempts, receipts, price, in order of time."""

from typing import Any

import msgpack
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.documents import Document, Sources, message, money
from volley.ledger.inbound import answers
from volley.ledger.ranks import STATUS_OF, rank_of_mark
from volley.ledger.schema import attempts, campaign_events, moves, receipts
from volley.message import MessageId
from volley.text.template import compile_template


async def tell(connection: AsyncConnection, place: MessageId, sources: Sources) -> Document:
    """The export line, with `text` (None where the chunk is gone) and `history`: what happened, each with `at_us`."""
    campaign = sources.campaign
    history: list[Document] = [{"at_us": campaign.created_us, "event": "sealed", "priority": campaign.priority}]
    history += await _attempts(connection, place)
    history += await _receipts(connection, place)
    history += await _moves(connection, place)
    history += await _campaign_events(connection, place)
    history += await answers(connection, place)
    history.sort(key=lambda event: event["at_us"])
    return message((place.campaign, place.chunk, place.offset), sources) | {
        "text": _text(place, sources),
        "history": history,
    }


def _text(place: MessageId, sources: Sources) -> str | None:
    campaign, chunk = sources.campaign, sources.chunk
    if chunk is None:
        return None
    return compile_template(campaign.template).bind(campaign.columns)(chunk.row(place.offset))


def _of(table: Any, place: MessageId) -> tuple[Any, ...]:
    return table.c.campaign_id == place.campaign, table.c.chunk == place.chunk, table.c.offset == place.offset


async def _attempts(connection: AsyncConnection, place: MessageId) -> list[Document]:
    rows = await connection.execute(select(attempts).where(*_of(attempts, place)))
    return [
        {
            "at_us": row.taken_us,
            "event": "attempt",
            "attempt": row.attempt,
            "from": row.sender,
            "sent_us": row.sent_us,
            "answered_us": row.answered_us,
            "outcome": row.outcome,
            "http_status": row.http_status,
            "error_code": row.error_code or None,
            "error_text": row.error_text or None,
            "carrier_id": row.carrier_id or None,
            "carrier_parts": row.carrier_parts,
            "cost": money(row.cost_micros),
            "status": STATUS_OF.get(row.rank, "came too late to count"),
        }
        for row in rows
    ]


async def _receipts(connection: AsyncConnection, place: MessageId) -> list[Document]:
    rows = await connection.execute(select(receipts).where(*_of(receipts, place)))
    return [
        {
            "at_us": row.occurred_us,
            "event": "receipt",
            "event_id": row.event_id,
            "type": row.event_type,
            "received_us": row.received_us,
            "carrier_status": row.status,
            "carrier_id": row.carrier_id,
            "carrier_parts": row.parts or None,
            "cost": money(row.cost_micros),
            "error_code": row.error_code or None,
            "error_text": row.error_text or None,
        }
        for row in rows
    ]


async def _moves(connection: AsyncConnection, place: MessageId) -> list[Document]:
    query = select(moves).where(moves.c.campaign_id == place.campaign, moves.c.chunk == place.chunk)
    found: list[Document] = []
    for row in await connection.execute(query):
        for offset, state, sender, attempt in msgpack.unpackb(row.moves):
            if offset == place.offset:
                status = STATUS_OF[rank_of_mark(state)]
                moved: Document = {"at_us": row.at_us, "event": "move", "why": row.why, "status": status}
                found.append(moved | {"from": sender, "attempt": attempt or None})
    return found


async def _campaign_events(connection: AsyncConnection, place: MessageId) -> list[Document]:
    rows = await connection.execute(select(campaign_events).where(campaign_events.c.campaign_id == place.campaign))
    return [{"at_us": row.at_us, "event": "campaign", "state": row.state} for row in rows]
