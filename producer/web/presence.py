"""What a serve shows of itself: a word in Redis every few seconds, with how late its event loop came round."""

import asyncio
import logging
import os
import socket
import time

from redis.exceptions import RedisError

from producer.web.watchers import Watchers
from volley import __version__
from volley.outbox import serves
from volley.outbox.outbox import Outbox
from volley.outbox.serves import ServeView
from volley.watchdog import Watchdog

log = logging.getLogger(__name__)

PRESENCE_S = 3.0


class Presence:
    """`run` it beside; whoever looks then finds this process among the facts."""

    def __init__(self, outbox: Outbox, watchers: Watchers, *, every_s: float = PRESENCE_S) -> None:
        self._outbox = outbox
        self._watchers = watchers
        self._every_s = every_s
        self._host, self._pid = socket.gethostname(), os.getpid()
        self._started_us = time.time_ns() // 1000
        self._watchdog = Watchdog()

    async def run(self) -> None:
        """Shows itself until cancelled, and takes its leave then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watchdog.run())
            try:
                while True:
                    await self._show()
                    await asyncio.sleep(self._every_s)
            finally:
                await self._leave()

    async def _show(self) -> None:
        try:
            await serves.show(self._outbox.redis, self._outbox.keys, self._view())
        except RedisError as error:
            log.warning("presence waits for Redis: %s", type(error).__name__)

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(1):
                await serves.leave(self._outbox.redis, self._outbox.keys, self._view().id)
        except (RedisError, TimeoutError):
            log.info("Redis is away: this serve is shown there for some seconds more")

    def _view(self) -> ServeView:
        return ServeView(
            id=f"{self._host}:{self._pid}",
            host=self._host,
            pid=self._pid,
            version=__version__,
            started_us=self._started_us,
            seen_us=0,
            loop_lag_s=round(self._watchdog.lag_s(), 4),
            watching=self._watchers.many,
        )
