"""Campaigns of gathered messages, which come by the dozen a second and are over soon: none is missed, and none is kept in mind."""

from collections.abc import Container

from producer.sight.looking import pairs
from producer.sight.metas import metas
from producer.sight.totals import Totals
from volley.outbox import depths
from volley.outbox.outbox import Outbox
from volley.outbox.views import campaign_view

_MOST = 1_000
_AT_ONCE = 50


class Gathered:
    """What was there at the first look is where all begins."""

    def __init__(self, outbox: Outbox, totals: Totals) -> None:
        self._outbox = outbox
        self._totals = totals
        self._since_us: int | None = None
        self._ahead: frozenset[str] = frozenset()
        """Sealed at what was late, before the clock was set back."""

    async def count(self, elsewhere: Container[str], now_us: int) -> None:
        """Counts those sealed since the last call, until `now_us`, that are over. Whoever is `elsewhere` is counted by others: what
        lives, as it was read no earlier than `now_us`, and what did when they looked before.

        Some at a time, as there may be thousands, and others wait for this loop. Redis errors pass through; the next call goes on
        where this one ended.
        """
        if self._since_us is None or now_us < self._since_us:
            self._ahead = frozenset(name for name, _ in await self._sealed(now_us, "+inf"))
            self._since_us = now_us
        more = True
        while more:
            found = await self._sealed(self._since_us, now_us)
            for at in range(0, len(found), _AT_ONCE):
                page = found[at : at + _AT_ONCE]
                await self._add([name for name, _ in page if name not in elsewhere and name not in self._ahead])
                self._since_us = page[-1][1]
            more = len(found) == _MOST
        self._since_us = now_us

    async def _add(self, names: list[str]) -> None:
        looked = await depths.depths(self._outbox, names)
        fixed = await metas(self._outbox, [*looked])
        self._totals.add_once(campaign_view(looked[name].fields, 0, known) for name, known in fixed.items())

    async def _sealed(self, after_us: int, until_us: int | str) -> list[tuple[str, int]]:
        """Names and when: the first of them, and so in order."""
        found = await self._outbox.redis.execute_command(
            "ZRANGE",
            self._outbox.keys.of("gathered"),
            f"({after_us}",
            until_us,
            "BYSCORE",
            "LIMIT",
            0,
            _MOST,
            "WITHSCORES",
        )
        return [*pairs(found).items()]
