"""The feed: what changed, in one order, written in the transaction that records it.

A row holds up to 500 events of one campaign, as they were recorded; its position is one more than the last one's. There is one
writer at a time (engine.writing), so positions are committed in their order and none is filled in later.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from volley.ledger import happenings
from volley.ledger.before import Before, ranks
from volley.ledger.cursor import A_ROW
from volley.ledger.engine import writing
from volley.ledger.facts import Facts
from volley.ledger.feed_schema import feed
from volley.ledger.happenings import Happening, MessageFacts, mask
from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS
from volley.ledger.rows import Place, Row
from volley.ledger.schema import messages
from volley.ledger.telling import Telling, Told, told_of_message

_PRUNED_AT_ONCE = 1000
_DAY_US = 86_400_000_000


async def append(
    connection: AsyncConnection, facts: Facts, before: Before, texts: Iterable[Row], redriven: set[Place]
) -> Counter[str]:
    """Writes the events of a batch behind all others; how many messages they tell were not delivered, by error code.

    `texts`: the batch's texts of people, with what they answer. `redriven`: its messages whose rank may have gone back.
    """
    were = {place: before.ranks.get(place, 0) for place in redriven}
    told = list(Telling(before).all(facts, texts, redriven))
    told += await _redriven(connection, were)
    if not told:
        return Counter()
    last = await connection.scalar(select(func.max(feed.c.position))) or 0
    await connection.execute(insert(feed), list(_rows(told, last + 1)))
    return Counter(_error_codes(told))


def _error_codes(told: Iterable[Told]) -> Iterator[str]:
    for _, happening in told:
        if happening.type == "message.undelivered" and isinstance(happening.facts, MessageFacts):
            yield happening.facts.error_code


async def _redriven(connection: AsyncConnection, were: dict[Place, int]) -> list[Told]:
    """A rank that may go back tells by what it is in the end: the batch written once more comes to the same."""
    told: list[Told] = []
    for place, now in (await ranks(connection, were)).items():
        if now != were[place] and now > RANKS["sending"]:
            row = messages.c
            mine = (row.campaign_id == place[0], row.chunk == place[1], row.offset == place[2])
            found = (await connection.execute(select(messages).where(*mine))).mappings().one()
            told.append(told_of_message(found))
    return told


def _rows(told: Sequence[Told], position: int) -> Iterator[Row]:
    by_campaign: dict[str, list[Happening]] = {}
    for campaign_id, happening in told:
        by_campaign.setdefault(campaign_id, []).append(happening)
    now_us = time.time_ns() // 1000
    for campaign_id, theirs in by_campaign.items():
        for page in pages(theirs, A_ROW):
            types = mask([*{each.type for each in page}])
            row: Row = {"position": position, "at_us": now_us, "campaign_id": campaign_id, "types": types}
            yield row | {"count": len(page), "events": happenings.pack(page)}
            position += 1


async def prune(engine: AsyncEngine, event_days: int) -> None:
    """Drops what is older, but for the last row of it: positions go on from there, and so does who has read so far."""
    oldest_us = time.time_ns() // 1000 - event_days * _DAY_US
    # looked at from the oldest on: the feed is never read through for the few that are over
    page = select(feed.c.position, feed.c.at_us).order_by(feed.c.position).limit(_PRUNED_AT_ONCE)
    while True:
        async with writing(engine) as connection:
            rows = (await connection.execute(page)).all()
            old = [position for position, at_us in takewhile(lambda row: row.at_us < oldest_us, rows)]
            if len(old) > 1:
                await connection.execute(delete(feed).where(feed.c.position < old[-1]))
        if len(old) < _PRUNED_AT_ONCE:
            return
