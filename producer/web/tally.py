"""Counts of one process, shown by /healthz and added to Redis every few seconds, where other processes find them."""

import asyncio
import contextlib
import time
from collections import Counter

from redis.exceptions import RedisError

from volley.outbox import webhooks
from volley.outbox.outbox import Outbox

EVERY_S = 2.0
_MOST_TYPES = 20
_ELSE = "others"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


class Tally:
    """`counts` is what everybody here adds to; `types` are the events that nothing uses, by type, of a bounded number of types."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def unused(self, event_type: str) -> None:
        """An event that nothing uses."""
        self.counts["ignored"] += 1
        known = event_type in self.types or (len(self.types) < _MOST_TYPES and set(event_type) <= _PLAIN)
        self.types[event_type if known else _ELSE] += 1

    async def run(self) -> None:
        """Tells Redis until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                await self.tell()
        finally:
            await self.tell()

    async def tell(self) -> None:
        """Adds what is new; while Redis is away it is kept for the next time."""
        fresh = self.counts - self._told
        if fresh:
            with contextlib.suppress(RedisError):
                await webhooks.count(self._outbox.redis, self._outbox.keys, fresh, time.time_ns() // 1000)
                self._told += fresh
