"""Messages that the carrier refused for good, or could not deliver: which, why, and which of them may provably be tried once more.

Never one that may have been delivered: the carrier's last word is that it was not, and what came of each of its attempts is known.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple

import msgpack
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS, STATUS_OF
from volley.ledger.schema import attempts, messages, moves, receipts
from volley.state import State

_UNKNOWN = RANKS["unknown"]
_PERHAPS = "perhaps_sent"
_CHUNKS = 20
_STATES = {RANKS["refused"]: State.REFUSED.value, RANKS["undelivered"]: State.SUBMITTED.value}


class Failed(NamedTuple):
    """`attempts`: the number of its last one; `state`: its hot state; `carrier_ids`: of all its attempts, whose receipts count no more."""

    offset: int
    attempts: int
    state: str
    carrier_ids: frozenset[str]


class Reason(NamedTuple):
    """`status` is refused or undelivered."""

    status: str
    error_code: str
    error_text: str
    messages: int


async def reasons(engine: AsyncEngine, campaign_id: str) -> list[Reason]:
    """Why messages of a campaign failed, the most frequent first."""
    row = messages.c
    query = select(row.rank, row.error_code, func.min(row.error_text), func.count()).where(
        row.campaign_id == campaign_id, row.rank.in_(_STATES)
    )
    async with engine.connect() as connection:
        found = (await connection.execute(query.group_by(row.rank, row.error_code))).all()
    told = [Reason(STATUS_OF[rank], code, text or "", n) for rank, code, text, n in found]
    return sorted(told, key=lambda each: -each.messages)


async def failed(
    engine: AsyncEngine, campaign_id: str, codes: Sequence[str]
) -> AsyncIterator[tuple[int, list[Failed], int]]:
    """Those with one of these error codes, chunk by chunk: its index, the messages, and how many are left out, as one attempt of
    theirs may have arrived. Some chunks are in memory at once, and no connection is held while the caller works.
    """
    row = messages.c
    mine = (row.campaign_id == campaign_id, row.rank.in_(_STATES), row.error_code.in_(codes))
    async with engine.connect() as connection:
        found = await connection.execute(select(row.chunk).where(*mine).distinct().order_by(row.chunk))
        indexes = list(found.scalars())
    for page in pages(indexes, _CHUNKS):
        async with engine.connect() as connection:
            told = [await _of_chunk(connection, campaign_id, index, mine) for index in page]
        for each in told:
            yield each


async def _of_chunk(
    connection: AsyncConnection, campaign_id: str, index: int, mine: Sequence[ColumnElement[bool]]
) -> tuple[int, list[Failed], int]:
    row = messages.c
    query = select(row.offset, row.attempts, row.rank, row.carrier_id).where(*mine, row.chunk == index)
    rows = (await connection.execute(query.order_by(row.offset))).all()
    ids_of, doubtful = await _history(connection, campaign_id, index)
    certain = [
        Failed(offset, tried, _STATES[rank], frozenset(filter(None, [carrier_id])) | ids_of.get(offset, frozenset()))
        for offset, tried, rank, carrier_id in rows
        if offset not in doubtful
    ]
    return index, certain, len(rows) - len(certain)


async def _history(
    connection: AsyncConnection, campaign_id: str, chunk: int
) -> tuple[dict[int, frozenset[str]], set[int]]:
    """The carrier's ids of each message of a chunk, and the messages of which nobody knew at some time whether it had them."""
    ids: dict[int, set[str]] = {}
    doubtful: set[int] = set()
    tried = select(attempts).where(attempts.c.campaign_id == campaign_id, attempts.c.chunk == chunk)
    for row in await connection.execute(tried):
        ids.setdefault(row.offset, set()).add(row.carrier_id)
        if row.rank == _UNKNOWN or row.outcome == _PERHAPS:
            doubtful.add(row.offset)
    moved = select(moves).where(moves.c.campaign_id == campaign_id, moves.c.chunk == chunk)
    for row in await connection.execute(moved):
        doubtful.update(_unknown_in(row.moves))
    told = select(receipts.c.offset, receipts.c.carrier_id).where(
        receipts.c.campaign_id == campaign_id, receipts.c.chunk == chunk
    )
    for offset, carrier_id in await connection.execute(told):
        ids.setdefault(offset, set()).add(carrier_id)
    return {offset: frozenset(filter(None, theirs)) for offset, theirs in ids.items()}, doubtful


def _unknown_in(packed: bytes) -> Iterable[int]:
    return (offset for offset, state, _, _ in msgpack.unpackb(packed) if state == State.UNKNOWN)
