"""Texts of people as others get them: the stream that hands them on, lists, and the story of the message they answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.documents import Document, moment
from volley.ledger.paging import pages
from volley.ledger.schema import inbound, messages
from volley.message import MessageId


def document(row: Mapping[str, Any]) -> Document:
    """One text: `campaign_id`, `message_id` and `reference` are those of the message it answers, None where there is none."""
    answers = bool(row["campaign_id"])
    message_id = str(MessageId(row["campaign_id"], row["chunk"], row["offset"])) if answers else None
    return {
        "event_id": row["event_id"],
        "at": moment(row["occurred_us"]),
        "profile": row["profile"] or None,
        "from": row["person"],
        "to": row["number"],
        "text": row["text"],
        "media": orjson.loads(row["media"]),
        "keyword": row["keyword"] or None,
        "campaign_id": row["campaign_id"] or None,
        "message_id": message_id,
        "reference": row["reference"],
    }


async def texts(
    connection: AsyncConnection, *, profile: str | None, campaign_id: str | None, since_us: int | None, most: int
) -> list[Document]:
    """The newest texts, the newest first."""
    row = inbound.c
    query = _with_reference().order_by(row.occurred_us.desc(), row.event_id).limit(most)
    if profile is not None:
        query = query.where(row.profile == profile)
    if campaign_id is not None:
        query = query.where(row.campaign_id == campaign_id, row.campaign_id != "")
    if since_us is not None:
        query = query.where(row.occurred_us >= since_us)
    return [document(dict(found)) for found in (await connection.execute(query)).mappings()]


async def by_event_id(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Document]:
    """Single texts."""
    found: dict[str, Document] = {}
    for page in pages(ids):
        query = _with_reference().where(inbound.c.event_id.in_(page))
        for row in (await connection.execute(query)).mappings():
            found[row["event_id"]] = document(dict(row))
    return found


async def answers(connection: AsyncConnection, place: MessageId) -> list[Document]:
    """What the person said to one message, as events of its story."""
    row = inbound.c
    mine = (
        row.campaign_id == place.campaign,
        row.campaign_id != "",
        row.chunk == place.chunk,
        row.offset == place.offset,
    )
    return [
        {
            "at_us": found.occurred_us,
            "event": "answer",
            "event_id": found.event_id,
            "text": found.text,
            "media": orjson.loads(found.media) or None,
            "keyword": found.keyword or None,
        }
        for found in await connection.execute(select(inbound).where(*mine))
    ]


def _with_reference() -> Any:
    row, ours = inbound.c, messages.c
    same = (ours.campaign_id == row.campaign_id) & (ours.chunk == row.chunk) & (ours.offset == row.offset)
    return select(inbound, ours.reference).outerjoin_from(inbound, messages, same)
