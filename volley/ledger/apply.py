"""A batch of facts into SQL, inside the caller's transaction. Every statement may run again and change nothing."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger import redriven
from volley.ledger.answers import record_inbound
from volley.ledger.before import look
from volley.ledger.callbacks import open_for
from volley.ledger.facts import Facts
from volley.ledger.feed import append
from volley.ledger.fold import folded
from volley.ledger.merge import Upserts
from volley.ledger.paging import pages
from volley.ledger.rows import NAMELESS, Place, Row, message_of_chunk, receipt_row, starts_of
from volley.ledger.schema import carrier_ids, chunks, messages, receipts
from volley.outbox import chunks as blobs
from volley.outbox.events import ReceiptRecord

_HOMELESS = receipts.c.campaign_id == ""


class Came(NamedTuple):
    """What of a batch others are told of: texts of people, with what they answer, and messages that are now known not to have been
    delivered, by the carrier's code."""

    texts: list[Row]
    undelivered: Counter[str]


async def apply(connection: AsyncConnection, upserts: Upserts, facts: Facts) -> Came:
    """Writes what the batch says, joins receipts to the attempts that they belong to, names who messages are for, and tells
    the feed of what that changed.
    """
    await _find_homes(connection, upserts, facts)
    before = await look(connection, facts)
    await upserts.campaigns.write(connection, [*facts.campaigns, *starts_of(facts.started)])
    await upserts.campaign_events.write(connection, facts.campaign_events)
    await upserts.actions.write(connection, facts.actions)
    await upserts.chunks.write(connection, facts.chunks)
    await upserts.attempts.write(connection, facts.attempts)
    await upserts.moves.write(connection, facts.moves)
    await upserts.receipts.write(connection, [receipt_row(record) for record in facts.receipts])
    rows = folded(facts.messages)
    await upserts.messages.write(connection, [row for row in rows if row["taken_us"] != NAMELESS])
    await upserts.nameless.write(connection, [row for row in rows if row["taken_us"] == NAMELESS])
    await upserts.optouts.write(connection, facts.optouts)
    await upserts.quarantine.write(connection, facts.unreadable)
    await _complete(connection, upserts, facts)
    again = await redriven.set_right(connection, facts)
    texts = await record_inbound(connection, upserts.inbound, facts)
    undelivered = await append(connection, facts, before, texts, again)
    await open_for(connection, upserts, (campaign for _, campaign in facts.sealed))
    return Came(texts, undelivered)


async def _find_homes(connection: AsyncConnection, upserts: Upserts, facts: Facts) -> None:
    """Receipts without a reference of ours go to the message that has their carrier id, whichever of the two came first."""
    ids = [_home_row(carrier_id, place) for carrier_id, place in facts.carrier_ids.items()]
    await upserts.carrier_ids.write(connection, ids)
    homeless = [record for record in facts.receipts if not record.campaign]
    homes = await _homes(connection, [record.carrier_id for record in homeless if record.carrier_id])
    earlier = await _earlier(connection, list(facts.carrier_ids))
    homes |= {record.carrier_id: facts.carrier_ids[record.carrier_id] for record in earlier}
    facts.receipts = [record for record in facts.receipts if record.campaign or record.carrier_id not in homes]
    facts.add_receipts(_housed(record, homes) for record in (*homeless, *earlier) if record.carrier_id in homes)


def _home_row(carrier_id: str, place: Place) -> Row:
    return {"carrier_id": carrier_id, "campaign_id": place[0], "chunk": place[1], "offset": place[2]}


def _housed(record: ReceiptRecord, homes: dict[str, Place]) -> ReceiptRecord:
    campaign, chunk, offset = homes[record.carrier_id]
    return record._replace(campaign=campaign, chunk=chunk, offset=offset)


async def _homes(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for page in pages(ids):
        rows = await connection.execute(select(carrier_ids).where(carrier_ids.c.carrier_id.in_(page)))
        found |= {row.carrier_id: (row.campaign_id, row.chunk, row.offset) for row in rows}
    return found


async def _earlier(connection: AsyncConnection, ids: Sequence[str]) -> list[ReceiptRecord]:
    """Takes back the receipts that came before anybody knew whose they were."""
    if not ids or (await connection.execute(select(receipts.c.event_id).where(_HOMELESS).limit(1))).first() is None:
        return []
    found: list[ReceiptRecord] = []
    for page in pages(ids):
        theirs = _HOMELESS & receipts.c.carrier_id.in_(page)
        found += [_record(row) for row in (await connection.execute(select(receipts).where(theirs))).mappings()]
        await connection.execute(delete(receipts).where(theirs))
    return found


def _record(row: RowMapping) -> ReceiptRecord:
    fields: dict[str, Any] = {name: -1 if value is None else value for name, value in row.items()}
    fields |= {"campaign": fields.pop("campaign_id"), "to": fields.pop("recipient")}
    return ReceiptRecord(**fields)


async def _complete(connection: AsyncConnection, upserts: Upserts, facts: Facts) -> None:
    """Messages that only a move or a receipt told of: who they are for stands in their chunk, if it is here already."""
    for _, campaign in facts.sealed:
        found = await connection.execute(
            select(messages.c.chunk).distinct().where(messages.c.campaign_id == campaign.id, messages.c.taken_us < 0)
        )
        facts.bare |= {(campaign.id, chunk) for chunk in found.scalars()}
    by_campaign: dict[str, list[int]] = {}
    for campaign_id, chunk in sorted(facts.bare):
        by_campaign.setdefault(campaign_id, []).append(chunk)
    for campaign_id, indexes in by_campaign.items():
        for page in pages(indexes, 50):
            await _complete_chunks(connection, upserts, campaign_id, page)


async def _complete_chunks(
    connection: AsyncConnection, upserts: Upserts, campaign_id: str, indexes: Sequence[int]
) -> None:
    nameless = (
        select(messages.c.chunk, messages.c.offset)
        .where(messages.c.campaign_id == campaign_id, messages.c.chunk.in_(indexes), messages.c.taken_us < 0)
        .order_by(messages.c.chunk)
    )
    offsets: dict[int, list[int]] = {}
    for chunk, offset in await connection.execute(nameless):
        offsets.setdefault(chunk, []).append(offset)
    held = select(chunks.c.chunk, chunks.c.blob).where(chunks.c.campaign_id == campaign_id, chunks.c.chunk.in_(offsets))
    for index, blob in (await connection.execute(held)).all():
        chunk = blobs.decode(blob)
        rows = [message_of_chunk((campaign_id, index, offset), chunk) for offset in offsets[index]]
        await upserts.messages.write(connection, rows)
