"""Which message of ours a text answers: the latest that the person got from that number before, else from that profile.

A reply may be recorded before the message that it answers, where the POST was answered late: then it finds its message
when that is recorded.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.facts import Facts
from volley.ledger.merge import Upsert
from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS, SUBMITTED
from volley.ledger.rows import Row
from volley.ledger.schema import campaigns, inbound, messages
from volley.outbox.inbound import InboundRecord, person

SKEW_US = 60_000_000
"""Our clock wrote when a message went out, the carrier's when the reply came."""

SAME_NUMBER, SAME_PROFILE, NOTHING_KNOWN = 2, 1, 0
_UNANSWERED: Row = {"answer_rank": NOTHING_KNOWN, "answer_us": -1, "campaign_id": "", "chunk": -1, "offset": -1}


class _Sent(NamedTuple):
    """A message that a person got, or may have got."""

    campaign_id: str
    chunk: int
    offset: int
    reference: str | None
    sender: str | None
    profile: str | None
    at_us: int


async def record_inbound(connection: AsyncConnection, upsert: Upsert, facts: Facts) -> list[Row]:
    """Writes the batch's texts, and again those that a message of this batch may be the answer to.

    Returns the batch's own as they were written, each with `reference`, what the producer called the message.
    """
    fresh = {record.event_id: inbound_row(record) for record in facts.inbound}
    late = [row for row in await _earlier(connection, facts) if row["event_id"] not in fresh]
    rows = [*fresh.values(), *late]
    if not rows:
        return []
    sent = await _sent_to(connection, {row["recipient"] for row in rows if row["recipient"] is not None})
    references = [_answer(row, sent.get(row["recipient"], [])) for row in rows]
    await upsert.write(connection, rows)
    return [row | {"reference": name} for row, name in zip(fresh.values(), references, strict=False)]


def inbound_row(record: InboundRecord) -> Row:
    row: Row = record._asdict()
    return row | {"media": orjson.dumps(record.media).decode(), "recipient": person(record.person)} | _UNANSWERED


def _answer(row: Row, sent: Sequence[_Sent]) -> str | None:
    """Writes into a row which message it answers, and tells that one's reference."""
    before = [each for each in sent if each.at_us <= int(str(row["occurred_us"])) + SKEW_US]
    rank, found = max(((_kinship(row, each), each) for each in before), key=_latest, default=(NOTHING_KNOWN, None))
    if found is None or rank == NOTHING_KNOWN:
        return None
    place = {"campaign_id": found.campaign_id, "chunk": found.chunk, "offset": found.offset}
    row |= place | {"answer_rank": rank, "answer_us": found.at_us}
    return found.reference


def _kinship(row: Row, sent: _Sent) -> int:
    if sent.sender == row["number"]:
        return SAME_NUMBER
    return SAME_PROFILE if sent.profile == row["profile"] else NOTHING_KNOWN


def _latest(candidate: tuple[int, _Sent]) -> tuple[int, int, str, int, int]:
    rank, sent = candidate
    return rank, sent.at_us, sent.campaign_id, sent.chunk, sent.offset


async def _earlier(connection: AsyncConnection, facts: Facts) -> list[Row]:
    """Texts that are here already and came after a message of this batch had gone out."""
    told = [(row["recipient"], row["sent_us"]) for row in facts.messages]
    since: dict[Any, Any] = {to: sent_us for to, sent_us in told if to is not None and sent_us is not None}
    if not since or not await _any_since(connection, min(since.values())):
        return []
    found: list[Row] = []
    for page in pages(list(since)):
        theirs = inbound.c.recipient.in_(page) & (inbound.c.occurred_us >= min(since.values()) - SKEW_US)
        found += [
            dict(row) | _UNANSWERED for row in (await connection.execute(select(inbound).where(theirs))).mappings()
        ]
    return found


async def _any_since(connection: AsyncConnection, moment_us: int) -> bool:
    latest = await connection.scalar(select(func.max(inbound.c.occurred_us)))
    return latest is not None and latest >= moment_us - SKEW_US


async def _sent_to(connection: AsyncConnection, people: Iterable[object]) -> Mapping[object, list[_Sent]]:
    """What each of these people was sent."""
    row, found = messages.c, dict[object, list[_Sent]]()
    at_us = func.coalesce(row.sent_us, row.submitted_us, row.status_us)
    columns: list[ColumnElement[Any]] = [row.campaign_id, row.chunk, row.offset, row.reference, row.sender]
    query = select(row.recipient, *columns, campaigns.c.profile, at_us).outerjoin_from(
        messages, campaigns, campaigns.c.id == row.campaign_id
    )
    gone = or_(row.rank >= SUBMITTED, row.rank == RANKS["unknown"])
    for page in pages(list(people)):
        for recipient, *facts in await connection.execute(query.where(row.recipient.in_(page), gone)):
            found.setdefault(recipient, []).append(_Sent(*facts))
    return found
