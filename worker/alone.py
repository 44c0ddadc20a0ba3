"""Jobs that arq does not carry, run here instead: its Redis is away, or has no memory left for a job."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from volley.errors import VolleyError

log = logging.getLogger(__name__)


class Alone:
    """Jobs by name, `plan:<campaign>` or `drain:<shard>`; one that waits or runs here is not taken twice."""

    def __init__(self) -> None:
        self._jobs: asyncio.Queue[str] = asyncio.Queue()
        self._known: set[str] = set()

    def put(self, job: str) -> None:
        if job not in self._known:
            self._known.add(job)
            self._jobs.put_nowait(job)

    async def run(self, work: Callable[[str], Awaitable[None]]) -> None:
        """Does what was put here, side by side, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._do(await self._jobs.get(), work))

    async def _do(self, job: str, work: Callable[[str], Awaitable[None]]) -> None:
        log.info("arq does not carry a job, so it is done without: %s", job)
        try:
            await work(job)
        except (RedisError, VolleyError) as error:
            log.warning("a job waits for its next turn: %s", type(error).__name__)
        finally:
            self._known.discard(job)
