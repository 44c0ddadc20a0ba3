"""The audit log: who did what, and when. Written by the recorder, or in the transaction of an action on the ledger itself."""

import secrets
import time
from typing import Any, NamedTuple

import orjson
from sqlalchemy import insert, or_, select
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


class Place(NamedTuple):
    """Where an action stands in the order of the log."""

    at_us: int
    id: str


async def listed(
    connection: AsyncConnection,
    *,
    campaign_id: str | None = None,
    since_us: int | None = None,
    before: Place | None = None,
    most: int,
) -> tuple[list[Document], Place | None]:
    """The newest actions, the newest first, of those older than `before`; and the place of the last one, where there are more."""
    query = select(actions).order_by(actions.c.at_us.desc(), actions.c.id.desc()).limit(most + 1)
    if campaign_id is not None:
        # both: the index holds only those that are about a campaign
        query = query.where(actions.c.campaign_id == campaign_id, actions.c.campaign_id != "")
    if since_us is not None:
        query = query.where(actions.c.at_us >= since_us)
    if before is not None:
        # the first of the two is what the index is asked for
        older = or_(actions.c.at_us < before.at_us, actions.c.id < before.id)
        query = query.where(actions.c.at_us <= before.at_us, older)
    rows = (await connection.execute(query)).all()
    shown = rows[:most]
    last = Place(shown[-1].at_us, shown[-1].id) if len(rows) > most else None
    return [_document(row) for row in shown], last


def _document(row: Any) -> Document:
    return {
        "at": moment(row.at_us),
        "who": row.who,
        "what": row.what,
        "campaign_id": row.campaign_id or None,
        "detail": orjson.loads(row.detail),
    }
