"""Unknown messages: the carrier is asked again, with the same POST and the same key, whether it has them.

Beside the drain, and by the same path: a repeat is a take, with its checks, its rate, its barrier and its fence. Only a proved
key makes it safe, so the verdict of the probe decides, or a campaign that would rather send twice than lose a message.
"""

import asyncio
import logging
import time
from time import monotonic

from redis.exceptions import RedisError

from volley.errors import VolleyError
from volley.outbox.outbox import Outbox
from volley.outbox.verdict import honoured
from worker.drain import Drain

log = logging.getLogger(__name__)

MOST = 50
_LOOK_S = 1.0
_SOONEST_S = 0.05
_VERDICT_S = 60.0


class Resolver:
    """`run` it beside the drain. It needs no lease: any worker that can send may ask."""

    def __init__(self, outbox: Outbox, drain: Drain, *, give_up_us: int) -> None:
        self._outbox = outbox
        self._drain = drain
        self._give_up_us = give_up_us
        self._honoured = False
        self._asked_at = float("-inf")

    async def run(self) -> None:
        """Asks until cancelled; a failure is logged and the next look comes."""
        while True:
            pause = _LOOK_S
            try:
                pause = await self.look()
            except (RedisError, VolleyError) as error:
                log.warning("unknown messages wait: %s", type(error).__name__)
            await asyncio.sleep(pause)

    async def look(self) -> float:
        """Repeats what may be repeated now; seconds until the next look. Redis errors pass through."""
        flight = await self._drain.repeat(MOST, honoured=await self._verdict(), give_up_us=self._give_up_us)
        if flight is None or not flight.next_us:
            return _LOOK_S
        return min(_LOOK_S, max(_SOONEST_S, (flight.next_us - flight.now_us) / 1_000_000))

    async def _verdict(self) -> bool:
        """What the probe found, read anew from time to time."""
        if monotonic() - self._asked_at > _VERDICT_S:
            self._honoured = await honoured(self._outbox, time.time_ns() // 1000)
            self._asked_at = monotonic()
        return self._honoured
