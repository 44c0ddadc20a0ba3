"""Messages that the carrier took and never spoke of again: some networks send no receipt, and then no last word comes."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from volley.campaign import Campaign
from volley.ledger.ranks import SUBMITTED
from volley.ledger.schema import campaigns, messages
from volley.message import MessageId
from volley.numbers import e164
from volley.outbox.events import ReceiptRecord

TIMEOUT = "timeout"
"""Type of the event that closes such a message."""

_HOUR_US = 3_600_000_000
_KEY = (messages.c.submitted_us, messages.c.campaign_id, messages.c.chunk, messages.c.offset)


async def stuck(engine: AsyncEngine, hours: float, now_us: int, batch: int = 500) -> AsyncIterator[list[ReceiptRecord]]:
    """What closes those that the carrier has had for longer than `hours` (a scheduled one from its time on), in batches.

    The same message gives the same event whenever it is asked, so that it may be applied any number of times. Its rank
    is the least of a receipt's: whatever the carrier says later about delivery still counts.
    """
    wait_us = int(hours * _HOUR_US)
    starts: dict[str, int] = {}
    after: Sequence[Any] = (-1, "", -1, -1)
    while True:
        async with engine.connect() as connection:
            rows = await _page(connection, now_us - wait_us, after, batch)
            await _learn(connection, starts, {row.campaign_id for row in rows})
        if rows:
            after = tuple(rows[-1][: len(_KEY)])
        late = [(row, max(row.submitted_us, starts[row.campaign_id]) + wait_us) for row in rows]
        events = [_event(row, due_us, hours) for row, due_us in late if due_us < now_us]
        if events:
            yield events
        if len(rows) < batch:
            return


async def _page(connection: AsyncConnection, before_us: int, after: Sequence[Any], batch: int) -> Sequence[Any]:
    query = (
        select(*_KEY, messages.c.carrier_id, messages.c.recipient)
        .where(messages.c.rank == SUBMITTED, messages.c.submitted_us < before_us, tuple_(*_KEY) > tuple_(*after))
        .order_by(*_KEY)
        .limit(batch)
    )
    return (await connection.execute(query)).all()


async def _learn(connection: AsyncConnection, starts: dict[str, int], ids: set[str]) -> None:
    """When each campaign's messages go at the earliest: the carrier keeps scheduled ones until then."""
    new = ids - starts.keys()
    if not new:
        return
    starts |= dict.fromkeys(new, 0)
    rows = await connection.execute(select(campaigns.c.id, campaigns.c.facts).where(campaigns.c.id.in_(new)))
    starts |= {name: Campaign.from_json(facts).send_at_us for name, facts in rows if facts is not None}


def _event(row: Any, due_us: int, hours: float) -> ReceiptRecord:
    name = str(MessageId(row.campaign_id, row.chunk, row.offset))
    return ReceiptRecord(
        event_id=f"{TIMEOUT}:{name}",
        event_type=TIMEOUT,
        occurred_us=due_us,
        received_us=due_us,
        campaign=row.campaign_id,
        chunk=row.chunk,
        offset=row.offset,
        carrier_id=row.carrier_id,
        status="delivery_unconfirmed",
        sender="",
        to="" if row.recipient is None else e164(row.recipient),
        encoding="",
        parts=0,
        cost_micros=-1,
        rate_micros=-1,
        fee_micros=-1,
        currency="",
        sent_us=-1,
        completed_us=-1,
        error_code="",
        error_text=f"no receipt in {hours:g} hours",
    )
