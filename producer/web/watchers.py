"""Those who watch an account: nothing is gathered or written as JSON twice for two of them."""

import asyncio
import time
from collections.abc import Mapping

import orjson
from sqlalchemy.exc import SQLAlchemyError

from producer.sight.sight import Sight
from producer.web import excerpt
from producer.web.outflow import Seats, over_within
from volley.errors import TryAgainLater
from volley.ledger.reader import Reader

LEDGER_S = 2.0
_AWAY = "ledger_away"
_MOST = 50
SHOWN = 50
"""Actions, and texts of people."""


class Watchers:
    """One an account: the `seats` they take, and what they share."""

    def __init__(self) -> None:
        self.seats = Seats(_MOST, "streams of facts")
        self._over = asyncio.Event()
        self._cut: dict[int, tuple[int, excerpt.Sections]] = {}
        self._told: dict[str, bytes] = {}
        self._told_s = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    @property
    def many(self) -> int:
        """How many there are."""
        return self.seats.taken

    def close(self) -> None:
        """Streams end at their next round, and no new one begins."""
        self._over.set()
        if self._asking is not None:
            self._asking.cancel()

    async def over(self, wait_s: float) -> bool:
        """Whether it is so within that time."""
        return await over_within(self._over, wait_s)

    async def sections(self, sight: Sight, reader: Reader, most: int) -> dict[str, bytes]:
        """All of it. Raises TryAgainLater where Redis is away."""
        facts = await sight.facts()
        held = self._cut.get(most)
        if held is None or held[0] != facts.at_us:
            self._cut = {key: value for key, value in self._cut.items() if value[0] == facts.at_us}
            held = self._cut[most] = facts.at_us, excerpt.sections(facts, most)
        return {**held[1], **await self._ledger(reader)}

    async def _ledger(self, reader: Reader) -> Mapping[str, bytes]:
        """Actions and texts; as last read where the database is away, or takes longer. A question that hangs is not asked again
        meanwhile, and nobody waits for it twice.
        """
        if self._asking is None and time.monotonic() - self._told_s >= LEDGER_S:
            self._asking = asyncio.create_task(self._ask(reader))
        if (asking := self._asking) is not None:
            await asyncio.wait({asking}, timeout=0 if self._told.get(_AWAY) == b"true" else LEDGER_S)
            if not asking.done():
                self._told[_AWAY] = b"true"
            elif not asking.cancelled():
                asking.result()
        return self._told

    async def _ask(self, reader: Reader) -> None:
        try:
            actions, inbound = await reader.actions(most=SHOWN), await reader.inbound(most=SHOWN)
            self._told = {"actions": orjson.dumps(actions), "inbound": orjson.dumps(inbound), _AWAY: b"false"}
        except (TryAgainLater, SQLAlchemyError, OSError):
            self._told[_AWAY] = b"true"
        finally:
            self._told_s, self._asking = time.monotonic(), None
