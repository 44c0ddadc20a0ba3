"""Messages that ended without having been sent, provably: which, why, and what it takes to try them once more."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgpack
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from volley.ledger.documents import Document
from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS, STATUS_OF, SUBMITTED
from volley.ledger.schema import chunks, messages, moves
from volley.message import MessageId
from volley.numbers import e164
from volley.state import STATUS, State

DEAD = RANKS["dead"]
_WHY = {
    "poison": "set aside: worker after worker ended while it held messages of its chunk",
    "settle": "its text was not in Redis any more",
}
_SPENT = "its attempts are spent"
_STATE_OF = {status: state.value for state, status in ((State(state), status) for state, status in STATUS.items())}


class Corpse(NamedTuple):
    """A dead message of a chunk; `attempts`: the number of its last one, 0 where it was never tried."""

    offset: int
    attempts: int


async def dead(engine: AsyncEngine, campaign_id: str) -> list[Document]:
    """`message_id`, `to`, `reference`, `attempts`, `at_us`, `why`, `error_code`, `error_text` of each, in order."""
    row = messages.c
    query = select(messages).where(row.campaign_id == campaign_id, row.rank == DEAD).order_by(row.chunk, row.offset)
    async with engine.connect() as connection:
        found = (await connection.execute(query)).all()
        moved = await _moved(connection, campaign_id, sorted({each.chunk for each in found if not each.error_code}))
    return [_document(each._asdict(), moved) for each in found]


def _document(row: Mapping[str, Any], moved: Mapping[tuple[int, int], str]) -> Document:
    why = moved.get((row["chunk"], row["offset"]), "")
    return {
        "message_id": str(MessageId(row["campaign_id"], row["chunk"], row["offset"])),
        "to": None if row["recipient"] is None else e164(row["recipient"]),
        "reference": row["reference"],
        "attempts": row["attempts"],
        "at_us": row["status_us"],
        "why": _SPENT if row["error_code"] else _WHY.get(why, why or _SPENT),
        "error_code": row["error_code"] or None,
        "error_text": row["error_text"],
    }


async def _moved(connection: AsyncConnection, campaign_id: str, indexes: Sequence[int]) -> dict[tuple[int, int], str]:
    """Why Redis moved messages of these chunks to dead, by chunk and offset."""
    found: dict[tuple[int, int], str] = {}
    for page in pages(indexes):
        query = select(moves).where(moves.c.campaign_id == campaign_id, moves.c.chunk.in_(page)).order_by(moves.c.at_us)
        for row in await connection.execute(query):
            for offset, state, _, _ in msgpack.unpackb(row.moves):
                if state == State.DEAD:
                    found[row.chunk, offset] = row.why
    return found


async def corpses(engine: AsyncEngine, campaign_id: str) -> dict[int, list[Corpse]]:
    """The dead by chunk."""
    row = messages.c
    query = select(row.chunk, row.offset, row.attempts).where(row.campaign_id == campaign_id, row.rank == DEAD)
    found: dict[int, list[Corpse]] = {}
    async with engine.connect() as connection:
        for chunk, offset, attempts in await connection.execute(query.order_by(row.chunk, row.offset)):
            found.setdefault(chunk, []).append(Corpse(offset, attempts))
    return found


async def kept_chunk(engine: AsyncEngine, campaign_id: str, chunk: int) -> tuple[bytes, dict[int, str]] | None:
    """A sealed chunk as it was copied, and the hot states that its messages had as it left Redis; None where it is nowhere."""
    row = messages.c
    theirs = select(row.offset, row.rank).where(row.campaign_id == campaign_id, row.chunk == chunk)
    held = select(chunks.c.blob).where(chunks.c.campaign_id == campaign_id, chunks.c.chunk == chunk)
    async with engine.connect() as connection:
        blob = await connection.scalar(held)
        states = {offset: state_of(rank) for offset, rank in await connection.execute(theirs)}
    return None if blob is None else (blob, states)


def state_of(rank: int) -> str:
    """The hot state of a message that the ledger has at this rank: whatever the carrier has said of it, it was submitted."""
    return State.SUBMITTED.value if rank >= SUBMITTED else _STATE_OF[STATUS_OF[rank]]
