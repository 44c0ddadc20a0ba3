"""Campaigns of gathered messages, which come by the dozen a second and are over soon: none is missed, and none is kept in mind."""

from collections.abc import Container

from producer.sight.metas import metas
from producer.sight.totals import Totals
from volley.outbox import depths
from volley.outbox.outbox import Outbox
from volley.outbox.views import campaign_view

_MOST = 20_000
_AT_ONCE = 50


class Gathered:
    """What was there at the first look is where all begins."""

    def __init__(self, outbox: Outbox, totals: Totals) -> None:
        self._outbox = outbox
        self._totals = totals
        self._since_us: int | None = None

    async def count(self, live: Container[str], now_us: int) -> None:
        """Counts those sealed since the last call, until `now_us`, that are over: not among `live`, which was read no earlier.

        Some at a time, as there may be thousands, and others wait for this loop. Redis errors pass through.
        """
        names = [name for name in await self._since(now_us) if name not in live]
        for at in range(0, len(names), _AT_ONCE):
            looked = await depths.depths(self._outbox, names[at : at + _AT_ONCE])
            fixed = await metas(self._outbox, [*looked])
            self._totals.add_once(campaign_view(looked[name].fields, 0, known) for name, known in fixed.items())

    async def _since(self, now_us: int) -> list[str]:
        after_us = now_us if self._since_us is None else self._since_us
        found = await self._outbox.redis.execute_command(
            "ZRANGE",
            self._outbox.keys.of("gathered"),
            f"({after_us}",
            now_us,
            "BYSCORE",
            "LIMIT",
            0,
            _MOST,
            "WITHSCORES",
        )
        more = len(found) == 2 * _MOST
        self._since_us = int(float(found[-1])) if more else now_us
        return [name.decode() for name in found[::2]]
