"""The sweeper: what was lost is armed anew, what is over ends. Each step is one script, harmless to run anywhere, any time."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from volley.errors import VolleyError
from volley.outbox.chores import FLIGHT_US
from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue
from worker.alone import Alone

log = logging.getLogger(__name__)

PERIOD_S = 1.0
_ABANDONED_US = 3_600_000_000
_FLIGHTS = 50
_REFS = 500
_CAMPAIGNS = 100
_FORGETTING = 10
"""Looks of so many campaigns in a round: a thousand a second go, and no script holds the server for long."""
_DOUBTS = 500
DAY_US = 86_400_000_000


class Sweeper:
    """`shards`: how many drains there should be; 0 means one for each worker that takes. `life_us`: how long flights have.
    `give_up_us`: how long an unknown message may wait where its campaign would rather lose than repeat it.

    `reaped` counts messages given up.
    """

    def __init__(
        self,
        outbox: Outbox,
        queue: Queue,
        alone: Alone,
        *,
        shards: int,
        retention_days: int,
        life_us: int = FLIGHT_US,
        give_up_us: int = DAY_US,
    ) -> None:
        self._outbox = outbox
        self._queue = queue
        self._alone = alone
        self._life_us = life_us
        self._give_up_us = give_up_us
        self._shards = shards
        self._retention_us = retention_days * 86_400_000_000
        self._pin_bucket = random.randrange(1 << 20)
        self.reaped = 0

    async def watch(self) -> None:
        """Looks until cancelled; a failure is logged and the next look comes. `run` is beside it, as a round may take long, and
        where nobody looks at the clock for seconds all that waits has to wait anew.
        """
        await _again_and_again(self.look)

    async def run(self) -> None:
        """Sweeps until cancelled; a failure is logged and the next round comes."""
        await _again_and_again(self.round)

    async def look(self) -> None:
        """The clock, and flights that are overdue. Redis errors pass through."""
        chores = self._outbox.chores
        jumped_us = await chores.clock()
        if jumped_us < 0:
            log.warning("the clock of Redis was set back by %.1f s; rates and deadlines go by it", -jumped_us / 1e6)
        reaped = await chores.reap(_FLIGHTS, self._life_us)
        if reaped:
            self.reaped += reaped
            log.warning("%d messages are unknown: their worker did not come back in time", reaped)

    async def round(self) -> None:
        """Every other step once. Redis errors pass through."""
        chores = self._outbox.chores
        given_up = await chores.give_up(self._give_up_us, _DOUBTS)
        if given_up:
            log.warning("%d unknown messages are given up: nobody has spoken of them in time", given_up)
        await chores.wake()
        await self._evict()
        await self.arm()
        await self._expire()
        await chores.reckon()
        self._pin_bucket += 1
        await chores.prune_pins(self._pin_bucket)
        await self._forget()

    async def shards(self) -> int:
        """How many drains there should be."""
        return self._shards or max(1, sum(not worker.quiet for worker in await self._outbox.workers()))

    async def arm(self) -> None:
        """Enqueues what should run and does not."""
        for job in await self._outbox.chores.due(await self.shards()):
            kind, _, name = job.partition(":")
            if kind == "sweep":
                await self._outbox.sweep(name, "c")
            elif not await self._enqueued(kind, name):
                self._alone.put(job)

    async def _enqueued(self, kind: str, name: str) -> bool:
        """Whether arq has a new job now. One that waits there and shows no life is none: arq may have no memory to begin it."""
        try:
            if kind == "plan":
                view = await self._outbox.campaign(name)
                return await self._queue.plan(name, view.campaign.priority[0] if view else "b")
            await self._queue.drain(int(name))
            return True
        except RedisError as error:
            log.warning("arq takes no job: %s", type(error).__name__)
            return False

    async def _evict(self) -> None:
        for owner in await self._outbox.chores.evicted():
            while await self._outbox.chores.evict(owner, _REFS) >= _REFS:
                pass

    async def _forget(self) -> None:
        """As many as there are to go; where few of those looked at did, the next round goes on."""
        for _ in range(_FORGETTING):
            if await self._outbox.chores.forget(self._retention_us, _CAMPAIGNS) < _CAMPAIGNS:
                return

    async def _expire(self) -> None:
        for name in await self._outbox.chores.expired():
            await self._outbox.sweep(name, "e")
        for name in await self._outbox.chores.deserted(_ABANDONED_US):
            await self._outbox.abandon(name)


async def _again_and_again(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except (RedisError, VolleyError) as error:
            log.warning("the sweep waits: %s", type(error).__name__)
        await asyncio.sleep(PERIOD_S * random.uniform(0.8, 1.2))
