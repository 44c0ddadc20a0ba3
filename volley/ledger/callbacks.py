"""Rows of those who are called back: of the account by command, of a campaign when it is recorded."""

import time
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from volley.campaign import Campaign
from volley.ledger.cursor import START, Cursor
from volley.ledger.merge import Upserts
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


async def open_for(connection: AsyncConnection, upserts: Upserts, campaigns: Iterable[Campaign], position: int) -> None:
    """Callbacks that campaigns ask for, from the feed's position before their first event on. Once each."""
    after = Cursor.behind(position)
    rows = [
        callback_row(f"cb{each.id}", each.id, each.callback_url, (), after) for each in campaigns if each.callback_url
    ]
    await upserts.callbacks.write(connection, rows)
