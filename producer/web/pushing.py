"""What stands between requests that push and the intake: how many at once, which key is busy, how much each key may still send."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator

from redis.exceptions import RedisError

from producer.access.keys import ApiKey
from producer.web.problems import AWAY, IN_PROGRESS, TOO_MANY, Problem, retry_after
from volley.outbox.outbox import Outbox

_BUSY_S = 2
_MARK_S = 20
_AGAIN_S = 5.0
_DAY_S = 86_400


class Slots:
    """So many pushes at once, and of one key one less, so that the others find room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    @contextlib.contextmanager
    def taken(self, who: ApiKey) -> Iterator[None]:
        mine = self._held.get(who.id, 0)
        if sum(self._held.values()) >= self._most:
            raise Problem(AWAY, f"{self._most} pushes are coming in already", headers=retry_after(_BUSY_S))
        if mine >= max(1, self._most - 1):
            raise Problem(TOO_MANY, f"{mine} pushes of this key are coming in already", headers=retry_after(_BUSY_S))
        self._held[who.id] = mine + 1
        try:
            yield
        finally:
            self._held[who.id] -= 1
            if not self._held[who.id]:
                del self._held[who.id]


@contextlib.asynccontextmanager
async def marked(outbox: Outbox, key: str | None, *, again_s: float = _AGAIN_S) -> AsyncIterator[None]:
    """Marks an idempotency key as busy, for all processes; the mark goes by itself where this one dies. It is renewed each `again_s`.

    What makes a push unique is the seal. This only spares two the work of one, and tells the second why.

    Raises:
        Problem: 409, another request is at it.
        RedisError: Redis is away.
    """
    if key is None:
        yield
        return
    name, token = outbox.keys.of("pushing", key), secrets.token_hex(8)
    if await outbox.redis.execute_command("SET", name, token, "NX", "EX", _MARK_S) is None:
        raise Problem(IN_PROGRESS, "a push with this Idempotency-Key is coming in: ask again", headers=retry_after(1))
    over = asyncio.Event()
    keeping = asyncio.create_task(_keep(outbox, name, over, again_s))
    try:
        yield
    finally:
        # not cancelled: a command that is under way may swallow that, and go on for ever
        over.set()
        await keeping
        with contextlib.suppress(RedisError):
            # between the two it may have become another's, after 20 s in which we kept none: then that one's mark goes early
            if await outbox.redis.get(name) == token.encode():
                await outbox.redis.delete(name)


async def _keep(outbox: Outbox, name: str, over: asyncio.Event, again_s: float) -> None:
    while not over.is_set():
        try:
            async with asyncio.timeout(again_s):
                await over.wait()
        except TimeoutError:
            with contextlib.suppress(RedisError):
                await outbox.redis.expire(name, _MARK_S)


class Busy:
    """Keys that a request of this process is at. With several processes the seal decides, and both get its answer."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    @contextlib.contextmanager
    def held(self, key: str) -> Iterator[None]:
        if key in self._keys:
            raise Problem(IN_PROGRESS, "a request with this Idempotency-Key is being worked on", headers=retry_after(1))
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)


class Allowance:
    """The messages that a key may still send today (UTC), counted in Redis, so for all processes together."""

    def __init__(self, outbox: Outbox, who: ApiKey) -> None:
        self._redis = outbox.redis
        self._who = who
        self._now_s = time.time()
        self._name = outbox.keys.of("allowed", int(self._now_s // _DAY_S))
        self._taken = 0
        self._kept = False

    async def take(self, messages: int) -> None:
        """Raises Problem (429) where the key has not so many left."""
        if self._who.daily is None:
            return
        used = await self._count(messages)
        self._taken += messages
        if used > self._who.daily:
            await self.give_back()
            detail = f"key {self._who.id} may send {self._who.daily:,} messages a day (UTC), and this would be more"
            raise Problem(TOO_MANY, detail, headers=retry_after(_DAY_S - self._now_s % _DAY_S))

    async def give_back(self, sent: int = 0) -> None:
        """What was taken beyond what was sent, unless it is kept."""
        spare = self._taken - sent
        if spare > 0 and not self._kept:
            self._taken = sent
            await self._count(-spare)

    def keep(self) -> None:
        """It may be sent although its push failed: it stays counted. The same request again is found by its key, and takes nothing."""
        self._kept = True

    async def _count(self, messages: int) -> int:
        """How many it has taken by now. Both at once: a process that dies between the two would leave a count without an end."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.execute_command("HINCRBY", self._name, self._who.id, messages)
        pipeline.execute_command("EXPIRE", self._name, 2 * _DAY_S)
        used, _ = await pipeline.execute()
        return int(used)
