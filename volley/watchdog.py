"""Whether this process keeps up with the clock. One that was stopped, swapped out or blocked looks before it takes."""

import asyncio
from time import monotonic

BEHIND_S = 1.0
CALM_S = 1.0
_TICK_S = 0.1


class Watchdog:
    """`behind` also tells before the loop has come round to `run` again: it looks at the clock itself."""

    def __init__(self) -> None:
        self._seen = monotonic()
        self._calm_from = 0.0
        self._worst = 0.0
        self.times = 0

    @property
    def behind(self) -> bool:
        """Whether the loop is late, or was so less than CALM_S ago."""
        now = monotonic()
        return now - self._seen > BEHIND_S + _TICK_S or now < self._calm_from

    def lag_s(self) -> float:
        """The latest that the loop came round since this was asked before."""
        worst, self._worst = self._worst, 0.0
        return worst

    async def run(self) -> None:
        """Ticks until cancelled."""
        self._seen = monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            now = monotonic()
            self._worst = max(self._worst, now - self._seen - _TICK_S)
            if now - self._seen > BEHIND_S + _TICK_S:
                self._calm_from = now + CALM_S
                self.times += 1
            self._seen = now
