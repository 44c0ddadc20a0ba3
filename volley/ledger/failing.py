"""What the carrier and people say of campaigns that have limits: not delivered, answered with STOP, and at another price than thought."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS
from volley.ledger.schema import inbound, messages


class Heard(NamedTuple):
    """Messages that were not delivered; people who said STOP to one."""

    undelivered: int = 0
    stopped: int = 0


async def heard(connection: AsyncConnection, campaign_ids: Sequence[str]) -> dict[str, Heard]:
    undelivered: dict[str, int] = {}
    stopped: dict[str, int] = {}
    row, said = messages.c, inbound.c
    for page in pages(campaign_ids):
        failed = select(row.campaign_id, func.count()).where(
            row.campaign_id.in_(page), row.rank == RANKS["undelivered"]
        )
        undelivered |= {each[0]: each[1] for each in await connection.execute(failed.group_by(row.campaign_id))}
        people = select(said.campaign_id, func.count(said.recipient.distinct())).where(
            said.campaign_id != "", said.campaign_id.in_(page), said.keyword == "stop"
        )
        stopped |= {each[0]: each[1] for each in await connection.execute(people.group_by(said.campaign_id))}
    return {name: Heard(undelivered.get(name, 0), stopped.get(name, 0)) for name in campaign_ids}


async def off_by(connection: AsyncConnection, campaign_ids: Sequence[str]) -> dict[str, int]:
    """Micro-units by which what the carrier asked for is more than what was estimated (less: negative), of messages that have both."""
    found: dict[str, int] = {}
    row = messages.c
    for page in pages(campaign_ids):
        query = select(row.campaign_id, func.sum(row.cost_micros - row.estimated_micros)).where(
            row.campaign_id.in_(page), row.cost_micros.is_not(None), row.estimated_micros.is_not(None)
        )
        found |= {name: int(micros or 0) for name, micros in await connection.execute(query.group_by(row.campaign_id))}
    return found
