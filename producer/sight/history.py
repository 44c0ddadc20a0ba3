"""How it stood over the last hours: a point every half a minute, kept in Redis, so that it outlives every process that watches."""

from collections import deque
from collections.abc import Sequence

import orjson
from redis.exceptions import ResponseError

from producer.sight.facts import Facts, Point
from volley.outbox.outbox import Outbox

EVERY_S = 30
KEPT = 960
"""Eight hours of points."""
_PROFILES = 20


def point(facts: Facts) -> Point:
    """What is kept of a snapshot."""
    slot = facts.at_us // 1_000_000 // EVERY_S * EVERY_S
    deepest = sorted(facts.queues, key=lambda queue: -queue.ready)[:_PROFILES]
    spend = {each.currency: each.per_minute_micros for each in facts.spend if each.per_minute_micros is not None}
    return Point(
        at=slot,
        ready=facts.total.ready,
        due=facts.total.due,
        in_flight=facts.total.in_flight,
        unknown=facts.total.unknown,
        rate=facts.total.rate,
        spend_micros=spend,
        profiles={queue.profile: queue.ready for queue in deepest if queue.ready},
    )


class History:
    """The points that are known here, the oldest first. Several processes may add: each half minute has one point, the first."""

    def __init__(self, outbox: Outbox) -> None:
        self._redis = outbox.redis
        self._key = outbox.keys.of("history")
        self._points: deque[Point] = deque(maxlen=KEPT)

    def points(self) -> Sequence[Point]:
        return tuple(self._points)

    async def read(self) -> None:
        """All of it, from Redis. Redis errors pass through."""
        entries = await self._redis.execute_command("XREVRANGE", self._key, "+", "-", "COUNT", KEPT)
        self._points = deque((_read(fields) for _, fields in reversed(entries)), maxlen=KEPT)

    async def add(self, new: Point) -> None:
        """Redis errors pass through; a half minute that another process has told of already is left alone."""
        if self._points and self._points[-1].at >= new.at:
            return
        try:
            entry = ("MAXLEN", "=", KEPT, f"{new.at * 1000}-0", "p", orjson.dumps(new))
            await self._redis.execute_command("XADD", self._key, *entry)
        except ResponseError as error:
            if "equal or smaller" not in str(error):
                raise
        self._points.append(new)


def _read(fields: dict[bytes, bytes]) -> Point:
    return Point(**orjson.loads(fields[b"p"]))
