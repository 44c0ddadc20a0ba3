"""What sending cost, grouped: by campaign, day, sender or country, and always by currency. Sums are integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from volley.ledger.documents import money
from volley.ledger.paging import pages
from volley.ledger.ranks import SUBMITTED
from volley.ledger.schema import campaigns, messages

By = Literal["campaign", "day", "sender", "country"]

_DAY_US = 86_400_000_000
WHEN = func.coalesce(messages.c.submitted_us, messages.c.sent_us, messages.c.status_us)
"""The moment a cost belongs to: when the carrier took the message."""
PARTS = func.coalesce(messages.c.carrier_parts, messages.c.parts)
"""Parts as billed: the carrier's word where there is one."""
CURRENCY = func.coalesce(func.nullif(messages.c.currency, ""), campaigns.c.currency, "")
TAKEN = (messages.c.rank >= SUBMITTED) | messages.c.cost_micros.is_not(None)
"""Messages that cost something: the carrier took them, or named a price."""

_GROUPS: dict[By, ColumnElement[Any]] = {
    "campaign": messages.c.campaign_id,
    "day": WHEN // _DAY_US,
    "sender": messages.c.sender,
    "country": messages.c.country,
}


@dataclass(frozen=True, slots=True)
class CostRow:
    """`unpriced` messages have no cost yet and `unestimated` ones had no estimate; the sums are of the others.

    `group`: campaign id, day (UTC, ISO 8601), sender or country; "" where it is not known. Money is a decimal string.
    """

    group: str
    messages: int
    parts: int
    estimated: str | None
    cost: str | None
    currency: str
    unpriced: int
    unestimated: int


async def costs(connection: AsyncConnection, by: By, since_us: int | None, until_us: int | None) -> list[CostRow]:
    rows = await connection.execute(_query(_GROUPS[by], since_us, until_us))
    return sorted((_cost_row(by, row) for row in rows), key=lambda row: (row.group, row.currency))


async def spent(connection: AsyncConnection, campaign_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Campaign → currency → micro-units that the carrier has named so far."""
    found: dict[str, dict[str, int]] = {}
    for page in pages(campaign_ids):
        source = messages.outerjoin(campaigns, campaigns.c.id == messages.c.campaign_id)
        query = select(messages.c.campaign_id, CURRENCY, func.sum(messages.c.cost_micros)).select_from(source)
        wanted = messages.c.campaign_id.in_(page), messages.c.cost_micros.is_not(None)
        for name, currency, micros in await connection.execute(
            query.where(*wanted).group_by(messages.c.campaign_id, CURRENCY)
        ):
            found.setdefault(name, {})[currency] = int(micros)
    return found


def sums() -> tuple[ColumnElement[Any], ...]:
    """Messages, parts, estimated, cost, messages with a cost, messages with an estimate."""
    estimated, cost = messages.c.estimated_micros, messages.c.cost_micros
    return (
        func.count(),
        func.sum(PARTS),
        func.sum(estimated),
        func.sum(cost),
        func.count(cost),
        func.count(estimated),
    )


def _query(group: ColumnElement[Any], since_us: int | None, until_us: int | None) -> Select[Any]:
    source = messages.outerjoin(campaigns, campaigns.c.id == messages.c.campaign_id)
    query = select(group, CURRENCY, *sums()).select_from(source).where(TAKEN).group_by(group, CURRENCY)
    if since_us is not None:
        query = query.where(since_us <= WHEN)
    return query if until_us is None else query.where(until_us > WHEN)


def _cost_row(by: By, row: Any) -> CostRow:
    group, currency, count, parts, estimated, cost, priced, guessed = row
    if by == "day":
        group = datetime.fromtimestamp(int(group) * (_DAY_US // 1_000_000), UTC).date().isoformat()
    return CostRow(
        group or "", count, int(parts or 0), money(estimated), money(cost), currency, count - priced, count - guessed
    )
