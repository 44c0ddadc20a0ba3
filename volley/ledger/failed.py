"""Messages that the carrier refused for good, or could not deliver: which, why, and which of them may provably be tried once more.

Never one that may have been delivered: the carrier's last word is that it was not, and what came of each of its attempts is known.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgpack
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from volley.ledger.ranks import RANKS, STATUS_OF
from volley.ledger.schema import attempts, messages, moves, receipts
from volley.state import State

_UNKNOWN = RANKS["unknown"]
_PERHAPS = "perhaps_sent"
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
    query = select(row.rank, row.error_code, row.error_text).where(
        row.campaign_id == campaign_id, row.rank.in_(_STATES)
    )
    counted: Counter[tuple[int, str]] = Counter()
    texts: dict[tuple[int, str], str] = {}
    async with engine.connect() as connection:
        for rank, code, text in await connection.execute(query):
            counted[rank, code] += 1
            texts.setdefault((rank, code), text or "")
    return [Reason(STATUS_OF[rank], code, texts[rank, code], n) for (rank, code), n in counted.most_common()]


async def failed(engine: AsyncEngine, campaign_id: str, codes: Sequence[str]) -> tuple[dict[int, list[Failed]], int]:
    """Those with one of these error codes, by chunk; and how many of them are left out, as one attempt of theirs may have arrived."""
    row = messages.c
    query = select(row.chunk, row.offset, row.attempts, row.rank, row.carrier_id).where(
        row.campaign_id == campaign_id, row.rank.in_(_STATES), row.error_code.in_(codes)
    )
    found: dict[int, list[Failed]] = {}
    uncertain = 0
    async with engine.connect() as connection:
        for chunk, offset, tried, rank, carrier_id in (await connection.execute(query)).all():
            ids = frozenset(filter(None, [carrier_id]))
            found.setdefault(chunk, []).append(Failed(offset, tried, _STATES[rank], ids))
        for chunk, theirs in found.items():
            ids_of, doubtful = await _history(connection, campaign_id, chunk)
            certain = [each for each in theirs if each.offset not in doubtful]
            uncertain += len(theirs) - len(certain)
            found[chunk] = [
                each._replace(carrier_ids=each.carrier_ids | ids_of.get(each.offset, frozenset())) for each in certain
            ]
    return found, uncertain


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
