"""Campaigns of gathered messages, which come by the dozen a second and are over soon: none is missed, and none is kept in mind."""

from volley.outbox.outbox import Outbox

_MOST = 20_000


class Gathered:
    """What was there at the first look is where all begins."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._since_us: int | None = None

    async def since(self, now_us: int) -> list[str]:
        """Those sealed since the last call, up to some minutes' worth. Redis errors pass through."""
        after_us = now_us if self._since_us is None else self._since_us
        found = await self._outbox.redis.execute_command(
            "ZRANGE",
            self._outbox.keys.of("gathered"),
            f"({after_us}",
            "+inf",
            "BYSCORE",
            "LIMIT",
            0,
            _MOST,
            "WITHSCORES",
        )
        self._since_us = int(float(found[-1])) if found else min(after_us, now_us)
        return [name.decode() for name in found[::2]]
