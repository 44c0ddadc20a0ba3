"""Where things stood before a batch: read in its transaction, so that what is told as an event is told once.

An entry of the stream may be recorded twice, a receipt sent twice, a row say less than is known. An event is what changes: so what
repeats changes nothing, and tells of nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.facts import Facts
from volley.ledger.paging import pages
from volley.ledger.rows import Place
from volley.ledger.schema import campaign_events, campaigns, inbound, optouts
from volley.ledger.spots import at_spots

Person = tuple[str, int]
"""Profile id, recipient."""
Word = tuple[int, int]
"""When it was said, and whether the person wants nothing more (1)."""


@dataclass(slots=True)
class Before:
    ranks: dict[Place, int] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)
    campaign_events: set[tuple[str, int, str]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    words: dict[Person, Word] = field(default_factory=dict)


async def look(connection: AsyncConnection, facts: Facts) -> Before:
    """Everything that the batch's rows are about."""
    before = Before()
    before.ranks = await ranks(connection, (_place(row) for row in facts.messages))
    await _campaigns(connection, facts, before)
    for page in pages(sorted({record.event_id for record in facts.inbound})):
        found = await connection.execute(select(inbound.c.event_id).where(inbound.c.event_id.in_(page)))
        before.texts |= set(found.scalars())
    await _words(connection, facts, before)
    return before


def _place(row: dict[str, object]) -> Place:
    return row["campaign_id"], row["chunk"], row["offset"]  # type: ignore[return-value]


async def ranks(connection: AsyncConnection, places: Iterable[Place]) -> dict[Place, int]:
    """The rank of each message that has a row."""
    return {place: rank for place, (rank,) in (await at_spots(connection, places, ("rank",))).items()}


async def _campaigns(connection: AsyncConnection, facts: Facts, before: Before) -> None:
    query = select(campaigns.c.id, campaigns.c.started_us, campaigns.c.created_us)
    for page in pages(sorted({str(row["id"]) for row in facts.campaigns} | facts.started.keys())):
        for name, started_us, created_us in await connection.execute(query.where(campaigns.c.id.in_(page))):
            if started_us is not None:
                before.started.add(name)
            if created_us >= 0:
                before.sealed.add(name)
    told = campaign_events.c
    for page in pages(sorted({str(row["campaign_id"]) for row in facts.campaign_events})):
        events = select(told.campaign_id, told.at_us, told.state).where(told.campaign_id.in_(page))
        before.campaign_events |= {(name, at_us, state) for name, at_us, state in await connection.execute(events)}


async def _words(connection: AsyncConnection, facts: Facts, before: Before) -> None:
    people: dict[str, set[int]] = {}
    for row in facts.optouts:
        people.setdefault(str(row["profile"]), set()).add(int(str(row["recipient"])))
    for profile, theirs in people.items():
        for page in pages(sorted(theirs)):
            query = select(optouts).where(optouts.c.profile == profile, optouts.c.recipient.in_(page))
            for held in await connection.execute(query):
                before.words[profile, held.recipient] = (held.at_us, held.opted_out)
