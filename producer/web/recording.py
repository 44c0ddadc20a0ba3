"""The recorder beside the requests: on a thread and an event loop of its own, with its own connections to Redis and to the ledger.

A transaction is some ten milliseconds of work in one piece, and some hundred for a large batch: on one loop every request and every
webhook would wait for it.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from time import monotonic
from typing import Any

import uvloop

from producer.records import opened
from volley.ledger.engine import WRITERS_CACHE_MB
from volley.ledger.recorder import Counts, Recorder
from volley.outbox.opening import open_outbox
from volley.settings import Settings

_HAND_OVER_S = 0.001
"""How long a thread may keep the interpreter from the other: every step of a request may wait that long, where 5 ms are usual."""
_TICK_S = 1.0
_STILL_S = 15.0


class Recording:
    """Enter it before what fills the stream, leave it after that: the batch at work is finished, what follows stays in the stream."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._recorder: Recorder | None = None
        self._seen_s = monotonic()

    @property
    def counts(self) -> Counts:
        return self._recorder.counts if self._recorder is not None else Counts()

    @property
    def turns(self) -> bool:
        """Whether its loop has come round in the last seconds."""
        return monotonic() - self._seen_s < _STILL_S

    async def run(self) -> None:
        """Until `stop`.

        Raises:
            NewerEntry: as the recorder does.
            UnusableInput, TryAgainLater: Redis or the ledger cannot be used.
        """
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        sys.setswitchinterval(_HAND_OVER_S)
        # none that the interpreter waits for at its end: where we are killed by an error, so is this
        threading.Thread(target=_live, args=(self._record(), loop, over), name="recorder", daemon=True).start()
        await over

    def stop(self) -> None:
        """The batch at work is finished, what follows stays in the stream."""
        self._stopping.set()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is over already
                self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._recorder is not None:
            self._recorder.stop()

    async def _record(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with _connected(self._settings) as self._recorder:
            if self._stopping.is_set():
                return
            ticking = asyncio.create_task(self._tick())
            try:
                await self._recorder.run()
            finally:
                ticking.cancel()

    async def _tick(self) -> None:
        while True:
            self._seen_s = monotonic()
            await asyncio.sleep(_TICK_S)


@contextlib.asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Recorder]:
    outbox = await open_outbox(settings)
    try:
        # its tables are there: serve has seen to that; and what it has begun it always waits for
        async with opened(settings, answer_s=None, cache_mb=WRITERS_CACHE_MB) as engine:
            yield Recorder(outbox, engine, inbound_bound=settings.inbound_bound, event_days=settings.event_days)
    finally:
        await outbox.redis.aclose()


def _live(work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, over: asyncio.Future[None]) -> None:
    """Runs it to its end, which the other loop is told."""
    error: BaseException | None = None
    try:
        uvloop.run(work)
    except BaseException as raised:  # noqa: BLE001 - whoever waits for it gets it
        error = raised
    with contextlib.suppress(RuntimeError):  # nobody waits any more
        loop.call_soon_threadsafe(_end, over, error)


def _end(over: asyncio.Future[None], error: BaseException | None) -> None:
    if over.done():
        return
    if error is None:
        over.set_result(None)
    else:
        over.set_exception(error)
