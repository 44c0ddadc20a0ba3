"""The audit log: who did what, and when. Written by the recorder, or in the transaction of an action on the ledger itself."""

import secrets
import time
from typing import Any

import orjson
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.documents import Document, moment
from volley.ledger.rows import Row
from volley.ledger.schema import actions
from volley.outbox.actions import NOBODY, Action, unpack


def action_row(entry_id: str, packed: bytes, at_us: int) -> Row:
    """Raises KeyError, TypeError or ValueError for what is no action."""
    return _row(entry_id, unpack(packed), at_us)


def _row(name: str, action: Action, at_us: int) -> Row:
    row: Row = action._asdict()
    return row | {"id": name, "at_us": at_us, "detail": orjson.dumps(action.detail, default=str).decode()}


async def note(connection: AsyncConnection, who: str, what: str, campaign_id: str = "", /, **detail: object) -> None:
    """Records an action in the transaction that does it. Nothing where nobody acts."""
    if who != NOBODY:
        row = _row(f"sql-{secrets.token_hex(8)}", Action(who, what, campaign_id, detail), time.time_ns() // 1000)
        await connection.execute(insert(actions), row)


async def listed(
    connection: AsyncConnection, *, campaign_id: str | None, since_us: int | None, most: int
) -> list[Document]:
    """The newest actions, the newest first."""
    query = select(actions).order_by(actions.c.at_us.desc(), actions.c.id.desc()).limit(most)
    if campaign_id is not None:
        # both: the index holds only those that are about a campaign
        query = query.where(actions.c.campaign_id == campaign_id, actions.c.campaign_id != "")
    if since_us is not None:
        query = query.where(actions.c.at_us >= since_us)
    return [_document(row) for row in await connection.execute(query)]


def _document(row: Any) -> Document:
    return {
        "at": moment(row.at_us),
        "who": row.who,
        "what": row.what,
        "campaign_id": row.campaign_id or None,
        "detail": orjson.loads(row.detail),
    }
