"""What keeps the outbox going beside sending: jobs that must show life, rests that end, flights nobody came back for."""

import logging
from collections.abc import Sequence
from typing import Any

from volley.outbox import hours
from volley.outbox.keys import PIN_BUCKETS, Keys
from volley.outbox.scripts import Scripts
from volley.state import MOVES_ARG

log = logging.getLogger(__name__)

ALIVE_US = 4_000_000
"""A job that has shown no life for this long is armed anew."""
GATHERED_US = 600_000_000
"""How long a campaign of gathered messages stays at least: at 100 a second some 60,000 of them."""
FLIGHT_US = 15_200_000
"""A flight's life with the default settings."""


class Chores:
    """Redis errors pass through: the sweeper comes round again."""

    def __init__(self, scripts: Scripts, *, pin_days: int) -> None:
        self._scripts = scripts
        self._redis = scripts.client
        self._keys: Keys = scripts.keys
        self._pin_days = pin_days

    async def _now_us(self) -> int:
        seconds, micros = await self._redis.time()
        return seconds * 1_000_000 + micros

    async def alive(self, job: str) -> None:
        """The job has shown life; it is armed anew if it does not again within ALIVE_US."""
        await self._scripts.run("alive", ALIVE_US, job)

    async def done(self, job: str) -> None:
        """The job is over and need not be armed."""
        await self._redis.zrem(self._keys.of("due"), job)

    async def due(self, shards: int) -> list[str]:
        """Claims the jobs to arm: plan:<campaign>, drain:<shard>, sweep:<campaign>."""
        return [job.decode() for job in await self._scripts.run("due", ALIVE_US, shards)]

    async def clock(self) -> int:
        """Looks at the server's clock: µs by which it was set, or for which nobody looked; 0: it runs on."""
        return int(await self._scripts.run("clock"))

    async def reap(self, most: int, life_us: int = FLIGHT_US) -> int:
        """Gives up flights that are past their deadline: how many messages became unknown. `life_us`: how long flights have."""
        reaped, newer = await self._scripts.run("reap", MOVES_ARG, most, life_us)
        if newer:
            log.warning("%d flights are of a newer release and left to it: update Volley on this machine", newer)
        return int(reaped)

    async def give_up(self, after_us: int, most: int) -> int:
        """Closes the doubts of campaigns that would rather lose a message than send it twice: how many."""
        return int(await self._scripts.run("give_up", after_us, most))

    async def wake(self) -> int:
        """Ends rests that are over."""
        return int(await self._scripts.run("wake"))

    async def evicted(self) -> list[str]:
        """Lane owners whose waiting messages must move to others."""
        return [owner.decode() for owner in await self._redis.smembers(self._keys.of("evict"))]

    async def evict(self, owner: str, most: int) -> int:
        """Moves up to `most` of them; fewer: that was all."""
        return int(await self._scripts.run("evict", owner, most, self._pin_days))

    async def expired(self) -> list[str]:
        """Campaigns whose time is over."""
        return await self._overdue("expiring", await self._now_us())

    async def deserted(self, after_us: int) -> list[str]:
        """Pushes that were neither sealed nor given up, and have admitted nothing for a while."""
        return await self._overdue("open", await self._now_us() - after_us)

    async def reckon(self) -> int:
        """Reckons anew the windows of campaigns for which it is time: how many."""
        found = await self._overdue("reckon", await self._now_us())
        for name in found:
            await hours.again(self._scripts, name)
        return len(found)

    async def _overdue(self, name: str, until_us: int) -> list[str]:
        found = await self._redis.zrangebyscore(self._keys.of(name), "-inf", until_us, 0, 16)
        return [member.decode() for member in found]

    async def prune_pins(self, turn: int) -> int:
        """Drops old pins from one bucket of each profile."""
        dropped = 0
        for index in (await self._redis.hgetall(self._keys.of("profile"))).values():
            dropped += int(await self._scripts.run("prune", index, turn % PIN_BUCKETS, self._pin_days))
        return dropped

    async def forget(self, older_than_us: int, most: int, gathered_us: int = GATHERED_US) -> int:
        """Campaigns that are over and were sealed longer ago than this leave Redis; the ledger keeps them. How many went, of up to
        `most` that were looked at. `gathered_us`: the same for those of gathered messages."""
        now_us = await self._now_us()
        return int(await self._scripts.run("forget", now_us - older_than_us, now_us - gathered_us, most))

    async def show(self, worker: str, facts: dict[str, Any]) -> None:
        """A worker is there: it shows itself for 15 s."""
        pairs = [value for pair in facts.items() for value in pair]
        await self._scripts.run("show", worker, 15, *pairs)

    async def leave(self, worker: str, jobs: Sequence[str]) -> None:
        """A worker goes; whoever sweeps next arms its jobs elsewhere."""
        await self._redis.delete(self._keys.of("worker", worker))
        await self._redis.zrem(self._keys.of("workers"), worker)
        if jobs:
            await self._scripts.run("alive", 0, *jobs)
