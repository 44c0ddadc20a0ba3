"""What the carrier has taken of a campaign and not yet spoken of again: of a scheduled one, what it keeps until its time."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.ledger.ranks import SUBMITTED
from volley.ledger.schema import messages


class Kept(NamedTuple):
    """`recipient` is E.164 digits, None where nobody has told yet."""

    chunk: int
    offset: int
    carrier_id: str
    recipient: int | None


async def kept(engine: AsyncEngine, campaign_id: str, batch: int) -> AsyncIterator[list[Kept]]:
    """In batches, in the order of the rows. What moves on meanwhile is not seen twice."""
    key = (messages.c.chunk, messages.c.offset)
    after: tuple[Any, ...] = (-1, -1)
    while True:
        query = (
            select(*key, messages.c.carrier_id, messages.c.recipient)
            .where(messages.c.campaign_id == campaign_id, tuple_(*key) > tuple_(*after))
            .where(messages.c.rank == SUBMITTED, messages.c.carrier_id != "")
            .order_by(*key)
            .limit(batch)
        )
        async with engine.connect() as connection:
            rows = [Kept(*row) for row in await connection.execute(query)]
        if not rows:
            return
        after = rows[-1][:2]
        yield rows


async def taken(engine: AsyncEngine, campaign_id: str) -> int:
    """How many messages of a campaign the ledger knows by the carrier's id."""
    query = select(func.count()).where(
        messages.c.campaign_id == campaign_id, messages.c.rank >= SUBMITTED, messages.c.carrier_id != ""
    )
    async with engine.connect() as connection:
        return int((await connection.execute(query)).scalar_one())
