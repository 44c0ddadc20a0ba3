"""Redis beside the ledger: each message's hot state and its rank agree, and what has left Redis has ended in the ledger.

Both move on while they are read. So Redis is read, then the ledger once all entries up to that moment are in it, then Redis
again: only what stood still between the two readings is judged.
"""

import asyncio
from collections.abc import Iterator
from time import monotonic

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.errors import TryAgainLater
from volley.ledger.ranks import RANKS, SUBMITTED, agrees
from volley.ledger.schema import chunks, messages
from volley.ledger.stream import order
from volley.outbox import chunks as blobs
from volley.outbox.conservation import MOST, Breach
from volley.outbox.outbox import Outbox
from volley.outbox.snapshot import Snapshot, snapshot
from volley.outbox.standing import Standing
from volley.state import State

PATIENCE_S = 20.0
"""How long the recorder may take to pass a moment."""

Ranks = dict[int, dict[int, int]]
"""Chunk → offset → rank."""

_LOOK_S = 0.1
_ENDED = RANKS["expired"]


class LedgerBehind(TryAgainLater):
    """The recorder did not pass a moment in time, so that nothing can be said of it."""


async def recorded(outbox: Outbox, newest: str, patience_s: float = PATIENCE_S) -> None:
    """Waits until all entries of the stream up to one ('': none) are in the ledger. Raises LedgerBehind."""
    end = monotonic() + patience_s
    while newest:
        oldest = await outbox.redis.xrange(outbox.keys.ledger, count=1)
        if not oldest or order(oldest[0][0].decode()) > order(newest):
            return
        if monotonic() > end:
            raise LedgerBehind("the ledger does not catch up: see that volley serve runs and its database is there")
        await asyncio.sleep(_LOOK_S)


async def compared(
    outbox: Outbox, engine: AsyncEngine, campaign_id: str, first: int, stop: int, patience_s: float = PATIENCE_S
) -> list[Breach] | None:
    """What is wrong with the messages of chunks `first` to `stop`; None where Redis has no such campaign.

    Raises LedgerBehind; errors of Redis and of the database pass through.
    """
    before = await snapshot(outbox, campaign_id, first, stop, 0)
    if before is None:
        return None
    await recorded(outbox, before.newest, patience_s)
    ranks = await _ranks(engine, campaign_id, first, stop)
    after = await snapshot(outbox, campaign_id, first, stop, 0)
    if after is None:
        return None
    gone = [k for k in before.chunks if k not in before.states and k not in after.states]
    lengths = await _lengths(engine, campaign_id, gone)
    return [*_differing(before, after, ranks), *_lost(after, gone, lengths, ranks)]


def _differing(before: Snapshot, after: Snapshot, ranks: Ranks) -> Iterator[Breach]:
    for k in before.states.keys() & after.states.keys():
        known = ranks.get(k, {})
        both = enumerate(zip(before.states[k].decode(), after.states[k].decode(), strict=True))
        wrong = [(k, at) for at, (was, now) in both if was == now and not agrees(was, known.get(at, 0))]
        if wrong:
            yield Breach(before.campaign.id, "ledger", "", tuple(wrong[:MOST]), k)


def _lost(seen: Snapshot, gone: list[int], lengths: dict[int, int], ranks: Ranks) -> Iterator[Breach]:
    campaign_id = seen.campaign.id
    # what was given up has ended too, and stays unknown
    ended = RANKS["unknown"] if seen.number("gu") else _ENDED
    for k in gone:
        if k not in lengths:
            yield Breach(campaign_id, "lost", f"the whole chunk {k}", (), k)
            continue
        known = ranks.get(k, {})
        open_ = [(k, at) for at in range(lengths[k]) if known.get(at, 0) < ended]
        if open_:
            yield Breach(campaign_id, "lost", "", tuple(open_[:MOST]), k)


async def _ranks(engine: AsyncEngine, campaign_id: str, first: int, stop: int) -> Ranks:
    row = messages.c
    query = select(row.chunk, row.offset, row.rank).where(
        row.campaign_id == campaign_id, row.chunk >= first, row.chunk < stop
    )
    found: Ranks = {}
    async with engine.connect() as connection:
        for chunk, offset, rank in await connection.execute(query):
            found.setdefault(chunk, {})[offset] = rank
    return found


async def _lengths(engine: AsyncEngine, campaign_id: str, indexes: list[int]) -> dict[int, int]:
    """How many messages chunks had that have left Redis, of those that the ledger keeps."""
    if not indexes:
        return {}
    query = select(chunks.c.chunk, chunks.c.blob).where(
        chunks.c.campaign_id == campaign_id, chunks.c.chunk.in_(indexes)
    )
    async with engine.connect() as connection:
        return {k: len(blobs.decode(blob)) for k, blob in await connection.execute(query)}


async def counted(
    outbox: Outbox, engine: AsyncEngine, standing: Standing, patience_s: float = PATIENCE_S
) -> list[Breach]:
    """Of a campaign in which nothing waits or flies: the ledger has ended as many messages as Redis. One scan of its rows.

    Raises LedgerBehind.
    """
    newest = await outbox.redis.execute_command("XREVRANGE", outbox.keys.ledger, "+", "-", "COUNT", 1)
    await recorded(outbox, newest[0][0].decode() if newest else "", patience_s)
    taken, ended = await _ends(engine, standing.campaign)
    unknown, submitted = standing.counters[State.UNKNOWN], standing.counters[State.SUBMITTED]
    # of unknown messages the ledger may have heard; a receipt without our reference counts there alone
    if standing.accepted - unknown <= ended <= standing.accepted and taken >= submitted:
        return []
    detail = f"{standing.accepted - unknown} ended, {submitted} of them submitted; in the ledger {ended} and {taken}"
    return [Breach(standing.campaign, "ledger_counts", detail)]


async def _ends(engine: AsyncEngine, campaign_id: str) -> tuple[int, int]:
    """(messages that the carrier took, messages that have ended)."""
    row = messages.c
    query = select(row.rank, func.count()).where(row.campaign_id == campaign_id).group_by(row.rank)
    async with engine.connect() as connection:
        counts = [(int(rank), int(count)) for rank, count in await connection.execute(query)]
    taken = sum(count for rank, count in counts if rank >= SUBMITTED)
    return taken, sum(count for rank, count in counts if rank >= _ENDED)
