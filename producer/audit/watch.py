"""Conservation, watched all the time in `volley serve`: every campaign's sum each round, and in turn what lies beneath it.

What a round reads is bounded, so that it costs sending nothing that could be noticed; who wants all of it at once asks
`volley audit`. It changes nothing but its own report.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from redis.exceptions import OutOfMemoryError
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.audit.confirmed import PAUSE_S, Look, confirmed
from producer.audit.looks import Looks
from volley.ledger.audit import LedgerBehind
from volley.ledger.missing import Settled
from volley.outbox import findings
from volley.outbox.conservation import Breach
from volley.outbox.outbox import Outbox
from volley.outbox.standing import Standing, standings
from volley.state import State

log = logging.getLogger(__name__)

EVERY_S = 30.0
WINDOW = 20
"""Chunks that are put beside the ledger at a time."""
_FIRST_S = 5.0
_CAMPAIGNS = 4
"""Live campaigns in a round."""
_CHUNKS = 1_000
_REFS = 10_000
"""In one script, which holds the server for 6 ms at most: an eighth of what is taken ahead."""
_AGAIN = 8
"""Broken things that are looked at again in a round."""
_MISSING_ROUNDS = 10

Scope = tuple[str, str, int]
"""Which look, at which campaign ('': all), from which chunk on."""


class Watch:
    """`name` tells it from the audits of other machines. `checked` and `unknown` are of the last round, `rounds` since the start."""

    def __init__(
        self, outbox: Outbox, engine: AsyncEngine, name: str, *, retention_days: float, pause_s: float = PAUSE_S
    ) -> None:
        self._outbox = outbox
        self._looks = Looks(outbox, engine)
        self._name = name
        self._retention_days = retention_days
        self._pause_s = pause_s
        self._accepted: dict[str, int] = {}
        self._settled = Settled()
        self._well: set[str] = set()
        self._last = ""
        self._windows: dict[str, int] = {}
        self._broken: dict[Scope, list[Breach]] = {}
        self._alarmed: set[tuple[str, str, int]] = set()
        self.rounds = 0
        self.checked = 0
        self.unknown = 0

    @property
    def broken(self) -> list[Breach]:
        """Each once, though two looks may have found it."""
        found = [breach for breaches in self._broken.values() for breach in breaches]
        return list({(each.campaign, each.kind, each.chunk): each for each in found}.values())

    async def run(self, first_s: float = _FIRST_S, every_s: float = EVERY_S) -> None:
        """Until it is cancelled; what fails is tried again in the next round."""
        await asyncio.sleep(first_s)
        while True:
            try:
                await self.round()
            except Exception as error:  # noqa: BLE001 - the recorder and the webhooks beside it go on
                log.warning("conservation was not looked at: %s", type(error).__name__)
            await asyncio.sleep(every_s)

    async def round(self) -> None:
        """One round. Errors of Redis and of the database pass through."""
        everyone = await standings(self._outbox, self._accepted)
        self.checked, self.unknown = len(everyone), sum(each.counters[State.UNKNOWN] for each in everyone)
        await self._look(("counters", "", 0))
        for scope in [scope for scope in list(self._broken) if scope[1]][:_AGAIN]:
            await self._look(scope)
        for scope in self._turn(everyone):
            await self._look(scope)
        if self.rounds % _MISSING_ROUNDS == 0:
            await self._look(("missing", "", 0))
        self.rounds += 1
        with contextlib.suppress(
            OutOfMemoryError
        ):  # its own alarm; what is broken is in the log and in /healthz all the same
            await findings.tell(self._outbox, self._name, self.checked, self.broken)

    def _turn(self, everyone: list[Standing]) -> Iterator[Scope]:
        """What is looked at more closely: some live campaigns, and one that has ended since."""
        live = sorted(each.campaign for each in everyone if each.moving)
        turn = [name for name in live if name > self._last] + [name for name in live if name <= self._last]
        for name in turn[:_CAMPAIGNS]:
            self._last = name
            yield ("places", name, 0)
            yield ("ledger", name, self._windows.get(name, 0))
        self._windows = {name: at for name, at in self._windows.items() if name in live}
        self._well &= {each.campaign for each in everyone}
        over: list[Scope] = [("counts", each.campaign, 0) for each in everyone if not each.moving]
        yield from [scope for scope in over if scope[1] not in self._well and scope not in self._broken][:1]

    async def _look(self, scope: Scope) -> None:
        kind, name, _ = scope
        try:
            found = await confirmed(self._look_of(scope), self._pause_s)
        except LedgerBehind:
            return  # its lag is an alarm of its own
        if kind == "ledger" and found is not None:
            self._windows[name] = await self._following(scope)
        if found is None:
            found = [] if name and name not in self._accepted else self._broken.get(scope, [])
        elif kind == "counts" and not found:
            self._well.add(name)
        self._broken.pop(scope, None)
        if found:
            self._broken[scope] = found
        self._alarm()

    def _look_of(self, scope: Scope) -> Look:
        kind, name, first = scope
        looks: dict[str, Look] = {
            "counters": lambda: self._looks.counters(self._accepted),
            "places": lambda: self._looks.places(name, _CHUNKS, _REFS),
            "ledger": lambda: self._looks.ledger(name, first, first + WINDOW),
            "counts": lambda: self._looks.counts(name),
            "missing": lambda: self._looks.missing(self._retention_days, self._settled),
        }
        return looks[kind]

    async def _following(self, scope: Scope) -> int:
        """Where the next window of a campaign begins."""
        _, name, first = scope
        chunks = await self._outbox.redis.hget(self._outbox.keys.campaign(name), "ch")
        return 0 if first + WINDOW >= int(chunks or 0) else first + WINDOW

    def _alarm(self) -> None:
        """Each finding is an alarm once, whoever found it."""
        here = {(each.campaign, each.kind, each.chunk): each for each in self.broken}
        for which in here.keys() - self._alarmed:
            log.error("conservation: %s; volley audit tells more", here[which].words)
        for campaign, kind, _ in sorted(self._alarmed - here.keys()):
            log.warning("conservation: campaign %s is well again (%s)", campaign, kind)
        self._alarmed = set(here)
