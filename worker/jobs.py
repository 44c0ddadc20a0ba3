"""What arq runs here: `plan` a campaign, `drain` for a slice. Both are short, repeatable, and decide nothing."""

import asyncio
import logging
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from redis.exceptions import RedisError
from structlog.contextvars import bound_contextvars

from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue
from worker.alone import Alone
from worker.drain import Drain
from worker.plan import plan as plan_chunks
from worker.sweep import Sweeper
from worker.texts import Texts

log = logging.getLogger(__name__)

SLICE_S = 15.0
_BEAT_S = 1.0
_TAIL_S = 0.5
"""How long a drain goes on after its slice, so that the next job can begin before it stops."""
_IDLE_S = 2.0
_DECLINED_S = 0.5


class Jobs:
    """The parts of one worker that its jobs use. `held` are the drains it runs, or ran when it was told to end."""

    def __init__(
        self, outbox: Outbox, texts: Texts, drain: Drain, queue: Queue, sweeper: Sweeper, alone: Alone
    ) -> None:
        self._alone = alone
        self._outbox = outbox
        self._texts = texts
        self._drain = drain
        self._queue = queue
        self._sweeper = sweeper
        self.held: set[int] = set()

    async def plan(self, _ctx: dict[str, Any], _account: str, campaign_id: str) -> None:
        await self._told(self._plan(campaign_id))

    async def _plan(self, campaign_id: str) -> None:
        with bound_contextvars(campaign=campaign_id):
            await plan_chunks(self._outbox, self._texts, campaign_id, enough=2 * self._drain.low_water)
        self._drain.nudge()
        await self._sweeper.arm()

    async def drain(self, _ctx: dict[str, Any], _account: str, shard: int) -> None:
        """Keeps the drain taking for a slice, then hands over to the next job; ends early when there is nothing to do."""
        if self.held or not self._drain.taking:
            await self._decline(shard)
            return
        if not await self._hold(shard):
            self._alone.put(f"drain:{shard}")

    async def here(self, job: str) -> None:
        """A job that arq does not carry: a drain goes on until arq does."""
        kind, _, name = job.partition(":")
        if kind == "plan":
            await self._told(self._plan(name))
        elif not self.held and self._drain.taking:
            while not await self._hold(int(name)):
                pass

    async def _hold(self, shard: int) -> bool:
        """A slice; False where there is more to do and arq has not taken the next."""
        self.held.add(shard)
        try:
            return await self._slice(shard)
        finally:
            if not self._drain.stopping:
                self.held.discard(shard)

    async def _decline(self, shard: int) -> None:
        """This process drains already, or goes: another one may have a slot."""
        if shard < await self._sweeper.shards():
            await self._told(self._queue.drain(shard, defer_s=_DECLINED_S))

    async def _slice(self, shard: int) -> bool:
        end = monotonic() + SLICE_S
        job = f"drain:{shard}"
        self._drain.idle_since = 0.0
        await self._told(self._outbox.chores.alive(job))
        while self._drain.taking:
            self._drain.extend(monotonic() + _BEAT_S + _TAIL_S)
            await self._beat()
            if monotonic() > end and self._drain.taking:
                return await self._told(self._queue.drain(shard))
            idle_since = self._drain.idle_since
            idle = idle_since > 0 and monotonic() - idle_since > _IDLE_S
            if await self._told(self._outbox.chores.done(job) if idle else self._outbox.chores.alive(job)) and idle:
                break
        if self._drain.quiet:
            await self._told(self._queue.drain(shard))  # somebody else goes on with it at once
        return True

    async def _told(self, word: Awaitable[None]) -> bool:
        """Whether Redis heard it. If not, the drain waits for Redis, and the sweeper arms what this job could not."""
        try:
            await word
            return True
        except RedisError as error:
            log.warning("a drain waits for Redis: %s", type(error).__name__)
            return False

    async def _beat(self) -> None:
        try:
            async with asyncio.timeout(_BEAT_S):
                await self._drain.stopped.wait()
        except TimeoutError:
            pass
