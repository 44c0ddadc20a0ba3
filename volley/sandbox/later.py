"""Things to do at a moment: one timer for all of them, to the millisecond, cheap enough for every answer."""

import asyncio
import heapq
import time
from collections.abc import Callable

_GRAIN_S = 0.001


class Later:
    """Moments are microseconds of the monotonic clock. What falls into one millisecond runs together, in order."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_us = 0

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, due_us: int, call: Callable[[], None]) -> None:
        """Runs `call` at `due_us`, never before."""
        self._count += 1
        heapq.heappush(self._heap, (due_us, self._count, call))
        if self._timer is None or due_us < self._wakes_us:
            self._arm(due_us)

    def _arm(self, due_us: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait_s = max(_GRAIN_S, due_us / 1e6 - time.monotonic())
        self._wakes_us = due_us
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._run)

    def _run(self) -> None:
        self._timer = None
        now_us = time.monotonic_ns() // 1000
        try:
            while self._heap and self._heap[0][0] <= now_us:
                heapq.heappop(self._heap)[2]()
        finally:  # one call that raises must not keep the others from their moment
            if self._heap and self._timer is None:
                self._arm(self._heap[0][0])

    def stop(self) -> None:
        """Forgets everything that is still to come."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._heap.clear()
