"""Reads the three books as they stand on disk and in Redis, past the product's own readers where that is possible."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import redis.asyncio

from tests.chaos.oracle import Books, Row, Tally, message_of
from volley.message import MessageId
from volley.outbox.keys import Keys
from volley.outbox.outbox import Outbox
from volley.sandbox.arrivals import Arrival, read

_KEY = re.compile(r"[0-9a-z]{16}-\d+-\d+-g\d+")
"""An Idempotency-Key of a message; the doctor's probe has others."""


async def books(
    redis: redis.asyncio.Redis, account: str, log: Path, ledger: Path | None, pushed: Mapping[str, int]
) -> Books:
    """All that is known now. `pushed`: what producers were told was accepted, by campaign; one that is gone counts nothing."""
    outbox = Outbox(redis, account)
    views = await outbox.campaigns()
    tallies = {view.campaign.id: Tally(view.campaign.accepted, view.counts) for view in views}
    tallies |= {
        name: Tally(accepted, tallies[name].counts if name in tallies else {}) for name, accepted in pushed.items()
    }
    states: dict[MessageId, str] = {}
    whole = set()
    for view in views:
        found = [await _states(redis, outbox.keys, view.campaign.id, k) for k in range(view.campaign.chunks)]
        for piece in found:
            states.update(piece)
        if all(found):
            whole.add(view.campaign.id)
    arrivals = [each for each in read(log) if _KEY.fullmatch(each.key)]
    return Books(arrivals, tallies, states, None if ledger is None else rows(ledger, set(tallies)), frozenset(whole))


async def _states(redis: redis.asyncio.Redis, keys: Keys, campaign: str, k: int) -> dict[MessageId, str]:
    text = await redis.get(keys.states(campaign, k))
    return {MessageId(campaign, k, offset): state for offset, state in enumerate((text or b"").decode())}


def rows(ledger: Path, campaigns: set[str]) -> dict[MessageId, Row]:
    """Every message that the ledger's file knows, read as plain SQL."""
    if not ledger.exists():
        return {}
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as base:
        found = base.execute(
            'SELECT campaign_id, chunk, "offset", status, carrier_parts, cost_micros, carrier_id FROM messages'
        )
        return {MessageId(*row[:3]): Row(*row[3:]) for row in found if row[0] in campaigns}


def ways(log: Path, ledger: Path) -> Iterator[tuple[int, Arrival]]:
    """When we wrote each message (µs, our clock), and its arrival; of those that were written once and arrived once.

    Where the way from one to the other (`arrival.wall_us`) is long, the machine was busy, and R tells of that.
    """
    arrivals = [each for each in read(log) if _KEY.fullmatch(each.key)]
    times = Counter(message_of(each) for each in arrivals)
    once = {message_of(each): each for each in arrivals if times[message_of(each)] == 1}
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as base:
        written = 'SELECT campaign_id, chunk, "offset", max(sent_us) FROM attempts GROUP BY 1, 2, 3 HAVING count(*) = 1'
        for *place, sent_us in base.execute(written):
            arrival = once.get(MessageId(*place))
            if arrival is not None and sent_us:
                yield sent_us, arrival
