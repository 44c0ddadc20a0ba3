"""Messages that were dead and are tried once more: the one place where a rank goes back.

Rows merge to the greatest rank, and dead is greater than ready or unknown. So where a redriven message stands is worked out anew
from what the ledger keeps of it, its attempts and moves since the redrive, whenever a batch has something about it: from the same
rows the same answer, in whatever order and however often they came. What the carrier has said stands above that and is left alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgpack
from sqlalchemy import Row as Found
from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.facts import Facts
from volley.ledger.paging import pages
from volley.ledger.ranks import SUBMITTED, rank_of_mark
from volley.ledger.rows import Place
from volley.ledger.schema import attempts, messages, moves
from volley.ledger.stream import order

WHY = "redrive"

_STANDING = ("rank", "status_us", "error_code", "error_text")
_SET = (
    update(messages)
    .where(
        messages.c.campaign_id == bindparam("b_campaign"),
        messages.c.chunk == bindparam("b_chunk"),
        messages.c.offset == bindparam("b_offset"),
        messages.c.rank < SUBMITTED,
    )
    .values({name: bindparam(f"b_{name}") for name in _STANDING})
)


class Redrive(NamedTuple):
    """The last redrive of a message: its entry in the stream, its moment, the attempts before it."""

    entry: tuple[int, int]
    at_us: int
    attempt: int


class Standing(NamedTuple):
    """Where a message stood at a moment; the greatest counts."""

    rank: int
    status_us: int
    error_code: str
    error_text: str


async def set_right(connection: AsyncConnection, facts: Facts) -> set[Place]:
    """Gives the redriven messages of a batch, after it was written, the rank that they have come to since; which they are."""
    touched = {(row["campaign_id"], row["chunk"], row["offset"]) for row in facts.messages}
    redriven: dict[Place, Redrive] = {}
    for page in pages(sorted(facts.touched)):
        query = select(moves).where(moves.c.campaign_id.in_(page), moves.c.why == WHY)
        for place, redrive in _redrives(await connection.execute(query)):
            if place in touched and redrive > redriven.get(place, redrive._replace(entry=(-1, -1))):
                redriven[place] = redrive
    chunks: dict[tuple[str, int], dict[int, Redrive]] = {}
    for (campaign_id, chunk, offset), redrive in redriven.items():
        chunks.setdefault((campaign_id, chunk), {})[offset] = redrive
    for (campaign_id, chunk), theirs in chunks.items():
        await _set_chunk(connection, campaign_id, chunk, theirs)
    return set(redriven)


def _redrives(rows: Iterable[Found[Any]]) -> Iterable[tuple[Place, Redrive]]:
    for row in rows:
        for offset, _, _, attempt in msgpack.unpackb(row.moves):
            yield (row.campaign_id, row.chunk, offset), Redrive(order(row.entry_id), row.at_us, attempt)


async def _set_chunk(connection: AsyncConnection, campaign_id: str, chunk: int, theirs: dict[int, Redrive]) -> None:
    tried = select(attempts).where(attempts.c.campaign_id == campaign_id, attempts.c.chunk == chunk)
    moved = select(moves).where(moves.c.campaign_id == campaign_id, moves.c.chunk == chunk)
    stood = {offset: [Standing(0, redrive.at_us, "", "")] for offset, redrive in theirs.items()}
    for row in await connection.execute(tried):
        redrive = theirs.get(row.offset)
        if redrive and row.attempt > redrive.attempt and row.rank >= 0:
            at_us = max(row.answered_us or 0, row.sent_us or 0, row.taken_us)
            stood[row.offset].append(Standing(row.rank, at_us, row.error_code, row.error_text))
    for row in await connection.execute(moved):
        for offset, state, _, _ in msgpack.unpackb(row.moves):
            redrive = theirs.get(offset)
            if redrive and order(row.entry_id) > redrive.entry:
                stood[offset].append(Standing(rank_of_mark(state), row.at_us, "", ""))
    await connection.execute(_SET, [_row(campaign_id, chunk, offset, found) for offset, found in stood.items()])


def _row(campaign_id: str, chunk: int, offset: int, stood: Sequence[Standing]) -> dict[str, object]:
    now = max(stood)
    place = {"b_campaign": campaign_id, "b_chunk": chunk, "b_offset": offset}
    return place | {
        "b_rank": now.rank,
        "b_status_us": now.status_us,
        "b_error_code": now.error_code,
        "b_error_text": now.error_text or None,
    }
