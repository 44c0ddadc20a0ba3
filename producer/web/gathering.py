"""Events on their way in: what arrives within a few milliseconds of each other becomes one write, and all wait for it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from volley.errors import TryAgainLater

log = logging.getLogger(__name__)

Item = TypeVar("Item")

GATHER_S = 0.003
LARGEST = 500
"""Events in one write."""

WAIT_S = 1.7
"""The carrier gives up after 2 s, so we say «not now» before that; it comes again."""

_WAITING = 20_000
"""Events that may wait; above it we say «not now» at once."""


class _Complaint:
    """One line a second at most, however many writes fail: the carrier sends all of them again and again."""

    def __init__(self) -> None:
        self._untold, self._reason, self._next_s = 0, "", 0.0

    def count(self, events: int, reason: str) -> None:
        self._untold, self._reason = self._untold + events, reason

    def tell(self) -> None:
        now_s = time.monotonic()
        if self._untold and now_s >= self._next_s:
            log.error("%d webhooks could not be written: %s", self._untold, self._reason)
            self._untold, self._next_s = 0, now_s + 1


class Gathering(Generic[Item]):
    """Gathers events and hands them on, one batch at a time. `run` must be running while `add` is used.

    `apply` makes a batch durable and raises when it could not. Counted under `applied` (the name given), deferred, late.
    """

    def __init__(
        self, apply: Callable[[list[Item]], Awaitable[object]], counts: Counter[str], applied: str = "applied"
    ) -> None:
        self._apply = apply
        self._applied = applied
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self.counts = counts
        self._lost = _Complaint()

    async def add(self, record: Item) -> None:
        """Returns once the event is durable.

        Raises:
            TryAgainLater: it is not, and the carrier should send it again.
        """
        if len(self._waiting) >= _WAITING:
            self.counts["deferred"] += 1
            raise TryAgainLater("too many events wait")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, done))
        self._arrived.set()
        try:
            async with asyncio.timeout(WAIT_S):
                await done
        except TimeoutError:
            self.counts["late"] += 1
            raise TryAgainLater("the event could not be written in time") from None

    async def run(self) -> None:
        """Writes batches until cancelled; what waits then is written first."""
        try:
            while True:
                await self._arrived.wait()
                await asyncio.sleep(GATHER_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Writes all that waits now."""
        self._arrived.clear()
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            await self._write(batch)

    async def _write(self, batch: list[tuple[Item, asyncio.Future[None]]]) -> None:
        failure: TryAgainLater | None = None
        try:
            await self._apply([record for record, _ in batch])
        except Exception as error:  # noqa: BLE001 - the loop goes on, and the carrier sends these again
            self._lost.count(len(batch), type(error).__name__)
            failure = TryAgainLater("the event could not be written")
        self._lost.tell()
        self.counts["deferred" if failure else self._applied] += len(batch)
        for _, done in batch:
            if done.done():
                continue  # it waited too long and has been answered
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)
