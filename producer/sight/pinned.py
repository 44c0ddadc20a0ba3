"""How many people each sender serves, counted in turn: some buckets of pins every two seconds, so that nobody notices.

A round goes over all people; what it counted is left in Redis, where every process that watches finds it, until the next one ends.
A million people take a quarter of an hour.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping

from redis.exceptions import RedisError

from volley.outbox.keys import PIN_BUCKETS
from volley.outbox.outbox import Outbox

log = logging.getLogger(__name__)

EVERY_S = 2.0
_AT_ONCE = 32
"""Buckets of one step to Redis: four times as many hold the loop for ten milliseconds."""
_MOST_BUCKETS = 1_024
_MOST_PINS = 4_000
_DAY_S = 86_400
_HELD_S = 3_600


class PinCount:
    """`run` it beside."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def run(self, every_s: float = EVERY_S) -> None:
        """Counts until cancelled."""
        while True:
            try:
                await self.round(every_s)
            except RedisError as error:
                log.warning("pins wait for Redis: %s", type(error).__name__)
            await asyncio.sleep(every_s)

    async def round(self, every_s: float) -> None:
        """All people of all profiles, with a pause after so many. Redis errors pass through."""
        found: Counter[int] = Counter()
        buckets = pins = 0
        indices = await self._outbox.redis.hgetall(self._outbox.keys.of("profile"))
        for index, first in _pages([int(each) for each in indices.values()]):
            read = await self._page(index, first, found)
            buckets, pins = buckets + _AT_ONCE, pins + read
            if buckets >= _MOST_BUCKETS or pins >= _MOST_PINS:
                buckets = pins = 0
                await asyncio.sleep(every_s)
        await self._leave(found)

    async def _leave(self, found: Mapping[int, int]) -> None:
        key = self._outbox.keys.of("pincount")
        words = [word for pair in found.items() for word in pair]
        pipeline = self._outbox.redis.pipeline(transaction=True)
        pipeline.execute_command("DEL", key)
        pipeline.execute_command("HSET", key, "at", time.time_ns() // 1000, *words)
        pipeline.execute_command("EXPIRE", key, _HELD_S)
        await pipeline.execute()

    async def _page(self, index: int, first: int, found: Counter[int]) -> int:
        """Adds the pins of some buckets that still hold; how many there were."""
        oldest = int(time.time()) // _DAY_S - self._outbox.dispatch.pin_days
        pipeline = self._outbox.redis.pipeline(transaction=False)
        for bucket in range(first, first + _AT_ONCE):
            pipeline.execute_command("HVALS", self._outbox.keys.pin(index, bucket))
        read = 0
        for values in await pipeline.execute():
            read += len(values)
            for value in values:
                sender, day = divmod(int(value), 100_000)
                if day >= oldest:
                    found[sender] += 1
        return read


def _pages(indices: list[int]) -> Iterator[tuple[int, int]]:
    yield from ((index, first) for index in indices for first in range(0, PIN_BUCKETS, _AT_ONCE))
