"""The single looks of which the watch and `volley audit` are made, each a campaign or some chunks of it."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from volley.ledger import audit
from volley.ledger.missing import Settled, missing
from volley.outbox.conservation import Breach, judged, judged_counters
from volley.outbox.outbox import Outbox
from volley.outbox.snapshot import WHOLE, snapshot
from volley.outbox.standing import standing, standings


class Looks:
    """Each returns what it found wrong. LedgerBehind and errors of Redis and of the database pass through."""

    def __init__(self, outbox: Outbox, engine: AsyncEngine, *, patience_s: float = audit.PATIENCE_S) -> None:
        self.outbox = outbox
        self.engine = engine
        self._patience_s = patience_s

    async def counters(self, accepted: dict[str, int]) -> list[Breach]:
        """Every campaign's sum over its states."""
        return [breach for each in await standings(self.outbox, accepted) for breach in judged_counters(*each)]

    async def places(self, campaign_id: str, chunks: int = WHOLE, most: int = WHOLE) -> list[Breach] | None:
        """Counters, states and places of a campaign; of one with more than `chunks` those that were planned last.

        None for one that is not there. With more refs and flights than `most` its places are not looked at.
        """
        first = 0
        if chunks < WHOLE:
            held = await self.outbox.redis.execute_command(
                "HMGET", self.outbox.keys.campaign(campaign_id), "next", "ch"
            )
            first = max(0, min(int(held[0] or 0), int(held[1] or 0) - chunks))
        seen = await snapshot(self.outbox, campaign_id, first, first + chunks, most)
        # in a thread: of ten thousand refs it takes longer than a request should have to wait
        return None if seen is None else await asyncio.to_thread(judged, seen)

    async def ledger(self, campaign_id: str, first: int, stop: int) -> list[Breach] | None:
        """Some chunks of a campaign beside the ledger."""
        return await audit.compared(self.outbox, self.engine, campaign_id, first, stop, self._patience_s)

    async def counts(self, campaign_id: str) -> list[Breach] | None:
        """A campaign in which nothing waits or flies beside the ledger; None where something does."""
        stands = await standing(self.outbox, campaign_id)
        if stands is None or stands.moving:
            return None
        return await audit.counted(self.outbox, self.engine, stands, self._patience_s)

    async def missing(self, retention_days: float, settled: Settled | None = None) -> list[Breach]:
        """Campaigns that the ledger has open and Redis has lost."""
        return await missing(self.outbox, self.engine, retention_days, settled)
