"""Messages that were submitted too long ago for a receipt still to come are closed as unconfirmed, in `serve` once an hour.

Through the receipts' own path, so that hot state, stream and ledger agree, and so that it may run anywhere, any number
of times: an event is always the same, and a receipt that comes later has more to say.
"""

import asyncio
import logging
import random
from time import time_ns

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.bill.filling import Filling
from volley.ledger.stuck import stuck
from volley.outbox.outbox import Outbox

log = logging.getLogger(__name__)

_HOUR_S = 3600.0
_FIRST_S = 60.0
_JITTER = 0.2


async def close_stuck(outbox: Outbox, engine: AsyncEngine, hours: float, *, patience_s: float = 60.0) -> int:
    """How many messages were closed.

    Raises:
        TryAgainLater: Redis is away, or the recorder does not keep up.
    """
    filling = Filling(outbox, patience_s=patience_s)
    closed = 0
    async for events in stuck(engine, hours, time_ns() // 1000):
        await filling.add(events)
        closed += len(events)
    return closed


async def keep_closing(
    outbox: Outbox, engine: AsyncEngine, hours: float, *, first_s: float = _FIRST_S, every_s: float = _HOUR_S
) -> None:
    """Until it is cancelled. Several machines do so at moments of their own; what fails is tried again the next time."""
    await asyncio.sleep(first_s * _chance())
    while True:
        try:
            closed = await close_stuck(outbox, engine, hours)
        except Exception as error:  # noqa: BLE001 - the recorder and the webhooks beside it go on
            log.warning("messages without a receipt were not closed: %s; the next try is in an hour", error)
        else:
            if closed:
                log.info("%d messages had no receipt for %g hours and are unconfirmed now", closed, hours)
        await asyncio.sleep(every_s * _chance())


def _chance() -> float:
    return random.uniform(1 - _JITTER, 1 + _JITTER)
