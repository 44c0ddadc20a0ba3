"""Campaigns that the ledger has open and Redis has not: it has lost them. Those that have left Redis as they were over have ended here."""

from collections.abc import Sequence
from time import time_ns
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.campaign import first_id
from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS
from volley.ledger.schema import campaigns, messages
from volley.outbox.conservation import Breach
from volley.outbox.outbox import Outbox

_PAGE = 200
_DAY_US = 86_400_000_000
_LATE_US = 3_600_000_000
"""They come into the ledger in the order of their seals, on the clocks of those who pushed them."""


class _Sealed(NamedTuple):
    created_us: int
    accepted: int


class Settled:
    """What one who looks again and again knows of campaigns: `ended`, of the last hour, and all that have not ended yet. Older ones
    than `before_us` that are not `open` need no look."""

    def __init__(self) -> None:
        self.before_us = 0
        self.ended: dict[str, int] = {}
        self.open: dict[str, _Sealed] = {}

    def learn(self, looked: dict[str, _Sealed], ended: dict[str, int]) -> None:
        newest_us = max((each.created_us for each in looked.values()), default=0)
        self.before_us = max(self.before_us, newest_us - _LATE_US)
        self.ended = {name: at for name, at in (self.ended | ended).items() if at > self.before_us}
        self.open = {name: each for name, each in looked.items() if name not in ended}


async def missing(
    outbox: Outbox, engine: AsyncEngine, retention_days: float, settled: Settled | None = None
) -> list[Breach]:
    """One look; `settled` remembers from look to look. Errors of Redis and of the database pass through."""
    known = Settled() if settled is None else settled
    since_us = time_ns() // 1000 - int((retention_days - 1) * _DAY_US)
    recent = known.open | await _sealed(engine, max(since_us, known.before_us))
    looked = {name: it for name, it in recent.items() if name not in known.ended and it.created_us > since_us}
    # Redis after the ledger, and what has ended after both: a campaign that goes meanwhile has ended by then
    gone = await _gone(outbox, list(looked))
    counts = await _ended(engine, gone)
    ended = {name: looked[name].created_us for name in gone if counts.get(name, 0) == looked[name].accepted}
    known.learn(looked, ended)
    return [Breach(name, "missing", "volley rebuild restores it") for name in gone if name not in ended]


async def _sealed(engine: AsyncEngine, since_us: int) -> dict[str, _Sealed]:
    """A campaign's id is of the moment at which its push began, which may have taken hours."""
    row = campaigns.c
    query = select(row.id, row.created_us, row.accepted).where(
        row.id > first_id(since_us - _DAY_US), row.created_us > since_us, row.accepted.is_not(None)
    )
    async with engine.connect() as connection:
        return {name: _Sealed(at, accepted) for name, at, accepted in await connection.execute(query)}


async def _gone(outbox: Outbox, names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for page in pages(names, _PAGE):
        pipeline = outbox.redis.pipeline(transaction=False)
        for index in ("campaigns", "gathered"):
            pipeline.execute_command("ZMSCORE", outbox.keys.of(index), *page)
        listed, gathered = await pipeline.execute()
        found += [name for name, *scores in zip(page, listed, gathered, strict=True) if scores == [None, None]]
    return found


async def _ended(engine: AsyncEngine, names: Sequence[str]) -> dict[str, int]:
    """Campaign → messages that have ended."""
    row, found = messages.c, dict[str, int]()
    for page in pages(names, _PAGE):
        query = select(row.campaign_id, func.count()).where(row.campaign_id.in_(page), row.rank >= RANKS["expired"])
        async with engine.connect() as connection:
            rows = await connection.execute(query.group_by(row.campaign_id))
        found |= {each[0]: each[1] for each in rows}
    return found
