"""The line of status that `volley serve` gives its service manager: the account's queue as it stands, and what is behind."""

import asyncio
import logging

from redis.exceptions import RedisError

from volley.ledger.stream import LedgerStream
from volley.outbox.outbox import Outbox
from volley.outbox.standing import waiting
from volley.pulse import Pulse

log = logging.getLogger(__name__)

EVERY_S = 5.0


async def tell(pulse: Pulse, outbox: Outbox) -> None:
    """Says it again and again until cancelled, to a manager that listens; at once where nobody does."""
    while pulse.watched:
        try:
            pulse.say(await _line(outbox))
        except RedisError as error:
            log.warning("the line of status waits for Redis: %s", type(error).__name__)
            pulse.say("waits for Redis")
        await asyncio.sleep(EVERY_S)


async def _line(outbox: Outbox) -> str:
    """Redis errors pass through."""
    workers = await outbox.workers()
    in_flight, rate = sum(worker.in_flight for worker in workers), sum(worker.rate for worker in workers)
    behind_s = await LedgerStream(outbox.redis, outbox.keys.ledger, "status").lag_seconds()
    depth = await waiting(outbox)
    return (
        f"{depth} ready, {in_flight} in flight, {rate:.1f}/s by {len(workers)} workers; ledger {behind_s:.1f} s behind"
    )
