"""Another server than before: what it may have forgotten is told to it again, before this worker takes anything from it."""

import asyncio
import logging

from redis.exceptions import RedisError

from volley.outbox.outbox import Outbox
from worker.memory import Memory
from worker.settling import Settler

log = logging.getLogger(__name__)

LOOK_S = 0.5
_AWAY_S = 0.2
_FLIGHTS = 20


class Recovery:
    """Looks which server this is; a changed run id is a restart or a failover. `times` counts them."""

    def __init__(self, outbox: Outbox, memory: Memory, settler: Settler) -> None:
        self._dispatch = outbox.dispatch
        self._memory = memory
        self._settler = settler
        self._one_at_a_time = asyncio.Lock()
        self._first = True
        self.times = 0

    async def watch(self) -> None:
        """Looks until cancelled. The first look at a new server begins its hold, so it comes soon after Redis is back."""
        while True:
            try:
                run, _ = await self._dispatch.reassert()
                await self.heard(run)
                await asyncio.sleep(LOOK_S)
            except RedisError:
                await asyncio.sleep(_AWAY_S)

    async def heard(self, run: str) -> None:
        """A server with this run id has answered. Redis errors pass through."""
        async with self._one_at_a_time:
            while run != self._memory.run:
                run = await self._reassert(run)

    async def _reassert(self, run: str) -> str:
        """Claims, then outcomes: the run id of the server that has heard them all. Another one means: once more."""
        # what the old server still answers from here on is in no claim, so it is given back
        self._memory.run, claims = "", self._memory.claims()
        still_open: dict[str, int] = {}
        for at in range(0, len(claims), _FLIGHTS):
            batch = claims[at : at + _FLIGHTS]
            heard, counts = await self._dispatch.reassert(batch)
            if heard != run:
                return heard
            still_open |= {claim.token: count for claim, count in zip(batch, counts, strict=True)}
        for settled in self._memory.outcomes():
            # where nothing of their flights is open any more, the server has not forgotten them
            if any(still_open.get(outcome.token, 1) for outcome in settled.outcomes):
                await self._dispatch.settle(settled.outcomes, settled.payload)
        self._settler.rest_again()
        self._memory.run = run
        first, self._first = self._first, False
        if not first:
            self.times += 1
            log.warning("Redis has restarted or failed over: it has heard again of %d flights", len(claims))
        return run
