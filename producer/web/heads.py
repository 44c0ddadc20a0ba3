"""How far the feed has come, asked once for all who wait for it."""

import asyncio
import time

from producer.web.outflow import over_within
from volley.ledger.cursor import Cursor
from volley.ledger.feed_reader import FeedReader

_FRESH_S = 0.25


class Heads:
    """One an account."""

    def __init__(self) -> None:
        self._head = Cursor(0, 0)
        self._read_s = float("-inf")
        self._asking = asyncio.Lock()
        self._over = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether nobody waits here any more."""
        return self._over.is_set()

    def close(self) -> None:
        """Whoever waits is told at once, and streams end."""
        self._over.set()

    async def moved(self, reader: FeedReader, cursor: Cursor, within_s: float) -> bool:
        """Whether there is anything behind a cursor; waits for it, until it is over. Database errors pass through."""
        end = time.monotonic() + within_s
        while await self._latest(reader) <= cursor:
            if time.monotonic() >= end or await over_within(self._over, _FRESH_S):
                return False
        return True

    async def _latest(self, reader: FeedReader) -> Cursor:
        async with self._asking:
            if time.monotonic() - self._read_s >= _FRESH_S:
                self._head = await reader.latest()
                self._read_s = time.monotonic()
            return self._head
