"""What a worker shows of itself: a heartbeat in Redis for people and the other workers, a line for its service manager."""

import asyncio
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Sequence

from redis.exceptions import RedisError

from volley import __version__
from volley.outbox import outcomes
from volley.outbox.outbox import Outbox
from volley.outbox.standing import waiting
from volley.pulse import Pulse
from worker.delivery import Delivery
from worker.drain import Drain
from worker.memory import Memory

log = logging.getLogger(__name__)

PRESENCE_S = 3.0


class Presence:
    """`run` it beside the drain; `changed` shows at once what is new, `leave` is the last word."""

    def __init__(
        self, name: str, outbox: Outbox, drain: Drain, delivery: Delivery, memory: Memory, pulse: Pulse
    ) -> None:
        self._name = name
        self._outbox = outbox
        self._drain = drain
        self._delivery = delivery
        self._memory = memory
        self._pulse = pulse
        self._started_us = time.time_ns() // 1000
        self._before = 0
        self._since = 0.0
        self._rate = 0.0
        self._lag_s = 0.0
        self._told: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._speaking = asyncio.Lock()
        self._left = False

    def changed(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Shows what it holds and how fast it sends, until it leaves. It can work once Redis has shown it and knows it."""
        while not self._left:
            self._news.clear()
            self._measure()
            try:
                await self._show()
            except RedisError as error:
                log.warning("presence waits for Redis: %s", type(error).__name__)
                self._pulse.say(f"waits for Redis; {self._delivery.in_flight} in flight")
            await self._pause()

    async def leave(self, jobs: Sequence[str]) -> None:
        """Once nothing is in flight: the last figures are told, and it is shown no more. `jobs` are armed elsewhere. Redis errors
        pass through."""
        self._left = True
        self._news.set()
        async with self._speaking:
            await self._count()
            await self._outbox.chores.leave(self._name, jobs)

    async def _show(self) -> None:
        async with self._speaking:
            await self._outbox.chores.show(self._name, self._facts())
            await self._count()
            if self._memory.run:
                self._pulse.ready()
            await self._say()

    async def _pause(self) -> None:
        try:
            # until Redis has been heard, which is a moment's affair, a manager need not wait for the next round
            async with asyncio.timeout(PRESENCE_S if self._memory.run else PRESENCE_S / 30):
                await self._news.wait()
        except TimeoutError:
            pass

    def _measure(self) -> None:
        """Messages per second, and the loop's worst lag, since the last time that was long enough ago."""
        now, started = time.monotonic(), self._drain.started
        if now - self._since >= PRESENCE_S / 2:
            self._rate = (started - self._before) / (now - self._since) if self._since else 0.0
            self._before, self._since = started, now
            self._lag_s = self._drain.watchdog.lag_s()

    def _facts(self) -> dict[str, str | int | float]:
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_us": self._started_us,
            "version": __version__,
            "in_flight": self._delivery.in_flight,
            "rate": self._rate,
            "quiet": int(self._drain.quiet),
            "loop_lag": round(self._lag_s, 4),
            "taking": taking(self._drain),
            "unknown_codes": " ".join(f"{code}:{n}" for code, n in self._delivery.unknown_codes.most_common(10)),
        }

    async def _count(self) -> None:
        """Adds what has come of attempts since the last time to what all workers of the account have told. Redis errors pass
        through: it is told with the next word."""
        counted = self._delivery.outcomes.copy()
        fresh = counted - self._told
        if fresh:
            await outcomes.count(self._outbox.redis, self._outbox.keys, fresh)
            self._told = counted

    async def _say(self) -> None:
        """Depth of the whole account, and what this worker does about it. Redis errors pass through."""
        if not self._pulse.watched:
            return
        mine = f"{self._delivery.in_flight} in flight, {self._rate:.1f}/s"
        if self._drain.stopping:
            self._pulse.say(f"stopping; {mine}")
        elif self._drain.quiet:
            self._pulse.say(f"quiet, takes nothing more; {mine}")
        else:
            halted = "all sending is stopped; " if self._drain.why == "stopped" else ""
            self._pulse.say(f"{halted}{await waiting(self._outbox)} ready, {mine}")


def taking(drain: Drain) -> str:
    """`yes`, or why it takes nothing: stopping · quiet (it was told so) · behind (its loop is late) · idle (no work, or other workers
    drain) · ledger, hold, stopped, circuit (what the last take answered)."""
    if drain.stopping:
        return "stopping"
    if drain.quiet:
        return "quiet"
    if drain.watchdog.behind:
        return "behind"
    if time.monotonic() >= drain.lease or drain.why == "idle":
        return "idle"
    return drain.why or "yes"
