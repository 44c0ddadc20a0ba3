"""Columns of messages that are scattered over campaigns and chunks, in one statement a campaign."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.rows import Place

# 2 to 4 µs a message. As IN with values of several columns SQLite reads the whole table; CROSS JOIN holds it to this order
_STATEMENT = (
    'SELECT m.chunk, m."offset", {columns} FROM {spots} CROSS JOIN messages AS m'
    ' WHERE m.campaign_id = :campaign AND m.chunk = (j.value >> 16) AND m."offset" = (j.value & 65535)'
)
_SPOTS = {
    "sqlite": "json_each(:spots) AS j",
    "postgresql": "(SELECT CAST(v AS bigint) AS value FROM jsonb_array_elements_text(CAST(:spots AS jsonb)) AS v) AS j",
}


async def at_spots(
    connection: AsyncConnection, places: Iterable[Place], columns: Sequence[str]
) -> dict[Place, tuple[Any, ...]]:
    """These columns of each of the messages that has a row."""
    spots: dict[str, set[int]] = {}
    for campaign_id, chunk, offset in places:
        spots.setdefault(campaign_id, set()).add(chunk << 16 | offset)
    named = ", ".join(f"m.{column}" for column in columns)
    statement = text(_STATEMENT.format(columns=named, spots=_SPOTS[connection.dialect.name]))
    found: dict[Place, tuple[Any, ...]] = {}
    for campaign_id, theirs in spots.items():
        bound = {"campaign": campaign_id, "spots": orjson.dumps(list(theirs)).decode()}
        for chunk, offset, *rest in await connection.execute(statement, bound):
            found[campaign_id, chunk, offset] = tuple(rest)
    return found
