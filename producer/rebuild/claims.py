"""Idempotency keys, from the ledger back into Redis: what is asked for again has its first answer, and is not sent again.

Of campaigns that are over too: their messages have been sent. Not of one that cannot be put back, as it is to be pushed anew.
"""

from collections.abc import AsyncIterator, Collection, Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.intake import GIVEN_KEY_LIFE_S, OWN_KEY_LIFE_S
from volley.campaign import Campaign
from volley.ledger.paging import PAGE
from volley.ledger.schema import campaigns
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching


def life_s(campaign: Campaign, now_us: int) -> int:
    """How much longer its keys live; 0: they are over. Keys that were gathered live as long as one of our own making."""
    own = not campaign.idempotency_key or campaign.idempotency_key.startswith("auto:")
    return max(0, (OWN_KEY_LIFE_S if own else GIVEN_KEY_LIFE_S) - (now_us - campaign.created_us) // 1_000_000)


async def of_those_over(
    outbox: Outbox, engine: AsyncEngine, lost: Collection[str], now_us: int, *, dry: bool = False
) -> int:
    """Keys of all campaigns that are not `lost`, and live still: how many."""
    held = 0
    async for page in _recorded(engine, now_us - GIVEN_KEY_LIFE_S * 1_000_000):
        held += await put_back(outbox, [each for each in page if each.id not in lost], now_us, dry=dry)
    return held


async def put_back(outbox: Outbox, mine: Iterable[Campaign], now_us: int, *, dry: bool = False) -> int:
    """How many. One that a later request has taken since stays its own."""
    keys = [(name, kept, life_s(each, now_us)) for each in mine for name, kept in _keys(each)]
    alive = [each for each in keys if each[2]]
    if alive and not dry:
        pipeline = outbox.redis.pipeline(transaction=False)
        for name, kept, left_s in alive:
            pipeline.execute_command("SET", outbox.keys.of("once", name), kept, "NX", "EX", left_s)
        with reaching():
            await pipeline.execute()
    return len(alive)


def _keys(campaign: Campaign) -> Iterable[tuple[str, str]]:
    """Key → what lua/seal.lua keeps of it."""
    if campaign.idempotency_key:
        yield campaign.idempotency_key, f"{campaign.id} {campaign.content_hash}"
    for name, kept in campaign.claims:
        yield name, f"{campaign.id} {kept}"


async def _recorded(engine: AsyncEngine, since_us: int) -> AsyncIterator[list[Campaign]]:
    """All campaigns that were sealed since, some hundred at a time."""
    row, last = campaigns.c, ""
    while True:
        wanted = select(row.id, row.facts).where(row.id > last, row.created_us >= since_us, row.facts.is_not(None))
        async with engine.connect() as connection:
            found = (await connection.execute(wanted.order_by(row.id).limit(PAGE))).all()
        if not found:
            return
        yield [Campaign.from_json(each.facts) for each in found]
        last = found[-1].id
