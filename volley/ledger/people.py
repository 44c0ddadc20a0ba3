"""What the ledger knows of people beyond one message: who wants nothing from a profile any more, and which sender they know."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.campaign import Campaign
from volley.ledger.ranks import RANKS
from volley.ledger.schema import attempts, campaigns, inbound, messages, optouts

Person = tuple[str, int]
"""Profile id, E.164 digits."""


class Pin(NamedTuple):
    profile: str
    recipient: int
    sender: str
    at_us: int


async def opted_out(connection: AsyncConnection) -> dict[Person, int]:
    """Who wants nothing more from which profile, and since when (µs): the last word of each, wherever it was heard. A STOP and a
    START of one moment are a STOP."""
    last: dict[Person, tuple[int, bool]] = {}

    def hear(profile: str, recipient: int, at_us: int, stop: bool) -> None:
        who, word = (profile, recipient), (at_us, stop)
        last[who] = max(last.get(who, word), word)

    for profile, recipient, at_us, out in await connection.execute(
        select(optouts.c.profile, optouts.c.recipient, optouts.c.at_us, optouts.c.opted_out)
    ):
        hear(profile, recipient, at_us, bool(out))
    said = select(inbound.c.profile, inbound.c.recipient, inbound.c.occurred_us, inbound.c.keyword)
    for profile, recipient, at_us, keyword in await connection.execute(said.where(inbound.c.keyword != "")):
        if profile and recipient is not None:
            hear(profile, recipient, at_us, keyword == "stop")
    for each in await connection.execute(_refused()):
        hear(each.profile, each.recipient, each.at_us, True)
    return {who: at_us for who, (at_us, stop) in last.items() if stop}


def _refused() -> Select[Any]:
    """Messages that the carrier refused because their person had said STOP to it."""
    row, of = messages.c, attempts.c
    same = (of.campaign_id == row.campaign_id) & (of.chunk == row.chunk) & (of.offset == row.offset)
    return (
        select(campaigns.c.profile, row.recipient, func.coalesce(of.answered_us, of.taken_us).label("at_us"))
        .join_from(messages, attempts, same)
        .join(campaigns, campaigns.c.id == row.campaign_id)
        .where(row.rank == RANKS["opted_out"], of.rank == RANKS["opted_out"], row.recipient.is_not(None))
    )


async def pins(connection: AsyncConnection, since_us: int) -> AsyncIterator[Pin]:
    """Whose messages went from which sender, the latest last. Campaigns that named their sender pinned nobody."""
    found = await connection.execute(select(campaigns.c.id, campaigns.c.facts).where(campaigns.c.facts.is_not(None)))
    profiles = {
        each.id: each.profile for each in (Campaign.from_json(facts) for _, facts in found) if each.sender is None
    }
    row = messages.c
    at_us = func.coalesce(row.sent_us, row.status_us)
    query = select(row.campaign_id, row.recipient, row.sender, at_us.label("at_us")).where(
        at_us >= since_us, row.sender.is_not(None), row.recipient.is_not(None)
    )
    async for campaign_id, recipient, sender, when in await connection.stream(query.order_by(at_us)):
        if campaign_id in profiles:
            yield Pin(profiles[campaign_id], recipient, sender, when)
