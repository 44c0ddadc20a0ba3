"""`volley audit`: all that can be looked at, at once, of one campaign or of all; it names the messages."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.audit.confirmed import PAUSE_S, Look, confirmed
from producer.audit.looks import Looks
from volley.errors import UnusableInput
from volley.ledger.audit import PATIENCE_S, LedgerBehind
from volley.ledger.reader import Reader
from volley.outbox.conservation import Breach
from volley.outbox.outbox import Outbox
from volley.outbox.standing import Standing, standing, standings

_WINDOW = 100
_BEHIND = "the ledger does not catch up, and was not compared: see that volley serve runs, then ask again"


class Whole:
    """One audit. `behind`: the ledger could not be compared with what Redis says."""

    def __init__(
        self,
        outbox: Outbox,
        engine: AsyncEngine,
        retention_days: float,
        *,
        patience_s: float = PATIENCE_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._outbox = outbox
        self._engine = engine
        self._looks = Looks(outbox, engine, patience_s=patience_s)
        self._retention_days = retention_days
        self._pause_s = pause_s
        self.behind = False

    async def run(self, campaign_id: str | None) -> dict[str, Any]:
        """`{checked, messages, broken: [{campaign_id, kind, says, messages}], notes}`; see docs/commands.md.

        Raises:
            UnusableInput: neither Redis nor the ledger has such a campaign.
        """
        broken: list[Breach] = []
        if campaign_id is None:
            everyone = await standings(self._outbox, {})
        else:
            found = await standing(self._outbox, campaign_id)
            everyone = [] if found is None else [found]
            if found is None:
                await self._known(campaign_id)
        for each in everyone:
            broken += [breach async for breach in self._one(each)]
        lost = await self._looks.missing(self._retention_days)
        broken += [each for each in lost if campaign_id in (None, each.campaign)]
        return {
            "checked": len(everyone),
            "messages": sum(each.accepted for each in everyone),
            "broken": [each.as_json() for each in broken],
            "notes": [_BEHIND] if self.behind else [],
        }

    async def _known(self, campaign_id: str) -> None:
        try:
            await Reader(self._engine).campaign(campaign_id)
        except UnusableInput:
            raise UnusableInput(f"no campaign {campaign_id[:40]!r}: see volley campaigns") from None

    async def _one(self, each: Standing) -> AsyncIterator[Breach]:
        """One that is over is counted; only where that is wrong every message of it is looked at."""
        name = each.campaign
        for breach in await self._see(lambda: self._looks.places(name)) or []:
            yield breach
        counted = None if each.moving else await self._see(lambda: self._looks.counts(name))
        if counted == [] or self.behind:
            return
        for breach in counted or []:
            yield breach
        chunks = int(await self._outbox.redis.hget(self._outbox.keys.campaign(name), "ch") or 0)
        for first in range(0, chunks, _WINDOW):
            for breach in await self._see(self._window(name, first)) or []:
                yield breach

    def _window(self, name: str, first: int) -> Look:
        return lambda: self._looks.ledger(name, first, first + _WINDOW)

    async def _see(self, look: Look) -> list[Breach] | None:
        """None where nothing could be seen: the ledger is behind, or the campaign has moved on."""
        try:
            return None if self.behind else await confirmed(look, self._pause_s)
        except LedgerBehind:
            self.behind = True
            return None


async def audit(outbox: Outbox, engine: AsyncEngine, campaign_id: str | None, retention_days: float) -> dict[str, Any]:
    return await Whole(outbox, engine, retention_days).run(campaign_id)
