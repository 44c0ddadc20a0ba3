"""How a campaign went, in numbers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from volley.campaign import Campaign
from volley.ledger.costs import CURRENCY, PARTS, TAKEN, sums
from volley.ledger.documents import Document, money
from volley.ledger.paging import pages
from volley.ledger.ranks import STATUS_OF, SUBMITTED
from volley.ledger.schema import campaigns, chunks, messages, receipts
from volley.message import MessageId
from volley.outbox.chunks import ENCODINGS, MMS

_PARTS_DIFFER = messages.c.carrier_parts != messages.c.parts
_IS_MMS = messages.c.encoding == ENCODINGS[MMS]
_ENCODING_DIFFERS = (
    (messages.c.carrier_encoding != messages.c.encoding) & (messages.c.carrier_encoding != "") & ~_IS_MMS
)
_ENCODING = case(
    (_IS_MMS, messages.c.encoding),
    else_=func.coalesce(func.nullif(messages.c.carrier_encoding, ""), messages.c.encoding, ""),
)
_COST_DIFFERS = messages.c.cost_micros != messages.c.estimated_micros


async def campaign_report(connection: AsyncConnection, campaign: Campaign) -> Document:
    """`statuses` add up to `accepted`. `senders`, `parts` and `encodings` count messages that the carrier took.

    `cost`: a line a currency, estimated against actual over the same messages. `chunks_held` of `chunks` are in the
    ledger. `sent_parts` were sent between `first_sent_us` and `last_sent_us`.
    """
    statuses = (await status_counts(connection, [campaign.id])).get(campaign.id, {})
    untouched = campaign.accepted - sum(statuses.values())
    held = await connection.scalar(select(func.count()).where(chunks.c.campaign_id == campaign.id))
    return {
        "campaign_id": campaign.id,
        "profile": campaign.profile,
        "accepted": campaign.accepted,
        "statuses": statuses | {"ready": statuses.get("ready", 0) + untouched},
        "senders": await _counted(connection, campaign, func.coalesce(messages.c.sender, "")),
        "parts": await _counted(connection, campaign, func.coalesce(PARTS, 0)),
        "encodings": await _counted(connection, campaign, _ENCODING),
        "cost": await _costs(connection, campaign),
        "differences": await _difference_counts(connection, campaign),
        "chunks": campaign.chunks,
        "chunks_held": held,
        "possibly_twice": await _possibly_twice(connection, campaign),
        **await _span(connection, campaign),
    }


async def _possibly_twice(connection: AsyncConnection, campaign: Campaign) -> int:
    """Messages that receipts with two ids of the carrier's tell of: a POST was repeated, and both were taken."""
    place = receipts.c.chunk, receipts.c.offset
    ids = func.count(receipts.c.carrier_id.distinct())
    twice = select(*place).where(receipts.c.campaign_id == campaign.id).group_by(*place).having(ids > 1)
    query = select(func.count()).select_from(twice.subquery())
    return int(await connection.scalar(query) or 0)


async def _span(connection: AsyncConnection, campaign: Campaign) -> Document:
    sent = messages.c.sent_us
    query = select(func.sum(PARTS), func.min(sent), func.max(sent)).where(*_taken(campaign))
    parts, first_us, last_us = (await connection.execute(query)).one()
    return {"sent_parts": int(parts or 0), "first_sent_us": first_us, "last_sent_us": last_us}


def _taken(campaign: Campaign) -> tuple[ColumnElement[bool], ...]:
    return messages.c.campaign_id == campaign.id, messages.c.rank >= SUBMITTED


async def _counted(connection: AsyncConnection, campaign: Campaign, group: ColumnElement[Any]) -> dict[Any, int]:
    query = select(group, func.count()).where(*_taken(campaign)).group_by(group).order_by(group)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def _costs(connection: AsyncConnection, campaign: Campaign) -> list[Document]:
    source = messages.outerjoin(campaigns, campaigns.c.id == messages.c.campaign_id)
    rows = await connection.execute(
        select(CURRENCY, *sums())
        .select_from(source)
        .where(TAKEN, messages.c.campaign_id == campaign.id)
        .group_by(CURRENCY)
    )
    return [
        {
            "currency": currency,
            "messages": count,
            "estimated": money(estimated),
            "cost": money(cost),
            "unpriced": count - priced,
            "unestimated": count - guessed,
        }
        for currency, count, _, estimated, cost, priced, guessed in rows
    ]


async def _difference_counts(connection: AsyncConnection, campaign: Campaign) -> dict[str, int]:
    tests = (_PARTS_DIFFER, _ENCODING_DIFFERS, _COST_DIFFERS)
    counts = [func.coalesce(func.sum(case((test, 1), else_=0)), 0) for test in tests]
    row = (await connection.execute(select(*counts).where(messages.c.campaign_id == campaign.id))).one()
    return dict(zip(("parts", "encoding", "cost"), map(int, row), strict=True))


async def differences(connection: AsyncConnection, campaign: Campaign, limit: int) -> Document:
    """Parts and encoding before cost: a wrong count of parts is what makes an estimate wrong."""
    wrong_count = case((_PARTS_DIFFER | _ENCODING_DIFFERS, 0), else_=1)
    rows = await connection.execute(
        select(messages)
        .where(messages.c.campaign_id == campaign.id, _PARTS_DIFFER | _ENCODING_DIFFERS | _COST_DIFFERS)
        .order_by(wrong_count, messages.c.chunk, messages.c.offset)
        .limit(limit)
    )
    found = [
        {
            "message_id": str(MessageId(campaign.id, row.chunk, row.offset)),
            "parts": row.parts,
            "carrier_parts": row.carrier_parts,
            "encoding": row.encoding,
            "carrier_encoding": row.carrier_encoding,
            "estimated_cost": money(row.estimated_micros),
            "cost": money(row.cost_micros),
            "currency": row.currency,
        }
        for row in rows
    ]
    return {**await _difference_counts(connection, campaign), "messages": found}


async def same_senders(connection: AsyncConnection, first: str, second: str) -> dict[str, int]:
    one, two = messages.alias("one"), messages.alias("two")
    same = case((one.c.sender == two.c.sender, 1), else_=0)
    query = select(func.count(), func.coalesce(func.sum(same), 0)).where(
        one.c.campaign_id == first,
        two.c.campaign_id == second,
        one.c.recipient == two.c.recipient,
        one.c.rank >= SUBMITTED,
        two.c.rank >= SUBMITTED,
    )
    people, held = (await connection.execute(query)).one()
    return {"people": people, "same": int(held)}


async def status_counts(connection: AsyncConnection, campaign_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    campaign_id, rank = messages.c.campaign_id, messages.c.rank
    for page in pages(campaign_ids):
        query = select(campaign_id, rank, func.count()).where(campaign_id.in_(page)).group_by(campaign_id, rank)
        for name, value, count in await connection.execute(query):
            counts = found.setdefault(name, {})
            counts[STATUS_OF[value]] = counts.get(STATUS_OF[value], 0) + count
    return found
