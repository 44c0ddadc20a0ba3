"""Rows of those who are called back: of the account by command, of a campaign when it is recorded."""

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.campaign import Campaign
from volley.ledger.cursor import START, Cursor
from volley.ledger.feed_schema import feed
from volley.ledger.merge import Upserts
from volley.ledger.paging import pages
from volley.ledger.rows import Row


def callback_row(callback_id: str, campaign_id: str, url: str, types: Sequence[str], after: Cursor = START) -> Row:
    """`types` none: all. Events behind the cursor go there."""
    return {
        "id": callback_id,
        "campaign_id": campaign_id,
        "url": url,
        "types": ",".join(types),
        "made_us": time.time_ns() // 1000,
        "cursor": str(after),
        "disabled": "",
        "delivered": 0,
        "delivered_us": 0,
        "failing_us": 0,
        "holder": "",
        "held_us": 0,
    }


async def open_for(connection: AsyncConnection, upserts: Upserts, campaigns: Iterable[Campaign]) -> None:
    """Callbacks that campaigns ask for, from before their first event on, which another recorder may have told already. Once each."""
    urls = {each.id: each.callback_url for each in campaigns if each.callback_url}
    for page in pages(list(urls)):
        mine = select(feed.c.campaign_id, func.min(feed.c.position)).where(feed.c.campaign_id.in_(page))
        firsts = (await connection.execute(mine.group_by(feed.c.campaign_id))).all()
        rows = [callback_row(f"cb{name}", name, urls[name], (), Cursor.behind(first - 1)) for name, first in firsts]
        await upserts.callbacks.write(connection, rows)
