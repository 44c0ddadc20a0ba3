"""Whether the carrier answers, as this worker sees it. Where it does not, the circuit opens for all workers of the account: an
outage must not turn a campaign into messages of which nobody knows whether they were sent.
"""

import asyncio
import logging
import math
from time import monotonic
from typing import assert_never

from redis.exceptions import RedisError

from volley.carrier.outcome import UNREACHABLE, Accepted, NotSent, Outcome, PerhapsSent, Refused, Throttled
from volley.outbox.dispatch import Dispatch

log = logging.getLogger(__name__)

WINDOW_S = 10
LEAST = 20
"""So many attempts in the window, half of them without an answer, open the circuit."""
IN_A_ROW = 10
"""So many without an answer do too, where none that was begun as late as the first of them got one."""
_RETRY_S = 0.25
_SET_BACK_US = 5_000_000
"""The server's clock was set: two takes of one worker are never so far apart in the wrong order."""


def answers(outcome: Outcome) -> bool | None:
    """Whether an outcome shows that the carrier is there: any answer in its own words does. None: it tells neither."""
    match outcome:
        case Accepted() | Throttled():
            return True
        case Refused(code=code):
            return True if code else None
        case PerhapsSent():
            return False
        case NotSent(reason=reason):
            return False if reason in UNREACHABLE else None
        case _:
            assert_never(outcome)


class Window:
    """Attempts of late. Pure: moments are `time.monotonic()` seconds; `began` is when the bytes left, or would have."""

    def __init__(self) -> None:
        self._slots: dict[int, list[int]] = {}
        self._in_a_row = 0
        self._answered = -math.inf

    def answered(self, began: float, now: float) -> None:
        self._slot(now)[0] += 1
        if began > self._answered:
            self._answered = began
            self._in_a_row = 0

    def failed(self, began: float, now: float) -> bool:
        """Whether that is enough to open the circuit."""
        slot = self._slot(now)
        slot[0] += 1
        slot[1] += 1
        if began > self._answered:
            self._in_a_row += 1
        attempts = sum(each[0] for each in self._slots.values())
        failures = sum(each[1] for each in self._slots.values())
        return self._in_a_row >= IN_A_ROW or (attempts >= LEAST and 2 * failures >= attempts)

    def clear(self) -> None:
        self._slots.clear()
        self._in_a_row = 0

    def _slot(self, now: float) -> list[int]:
        """[attempts, failures] of this second; those that have left the window go."""
        second = int(now)
        slot = self._slots.get(second)
        if slot is None:
            slot = self._slots[second] = [0, 0]
            for old in [each for each in self._slots if each <= second - WINDOW_S]:
                del self._slots[old]
        return slot


class Circuit:
    """`is_open`: what was granted before is given back and not sent; only probes go. `run` it beside the drain.

    Moments `…_us` are the server's. An attempt that was granted before the circuit last opened or closed tells nothing new.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._window = Window()
        self._since_us = -math.inf
        self._heard_us = -math.inf
        self._orders: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.is_open = False

    def heard(self, taken_us: int, is_open: bool) -> None:
        """What a take said."""
        if taken_us < self._heard_us - _SET_BACK_US:
            self._since_us = -math.inf
        self._heard_us = taken_us
        if is_open != self.is_open and taken_us > self._since_us:
            self.is_open = is_open
            self._since_us = taken_us
            self._window.clear()
            log.warning("the circuit is %s", "open: the carrier does not answer" if is_open else "closed")

    def answered(self, granted_us: int, began: float, probe: bool) -> None:
        """The carrier has answered a message that was granted then."""
        if probe:
            self._orders.put_nowait((granted_us, ""))
        elif granted_us >= self._since_us:
            self._window.answered(began, monotonic())

    def saw(self, outcome: Outcome, granted_us: int, began: float, probe: bool) -> None:
        """What came of an attempt; `began` 0.0 where nothing went on the wire."""
        well = answers(outcome)
        if well:
            self.answered(granted_us, began, probe)
        elif well is False and granted_us >= self._since_us:
            now = monotonic()
            if probe or (not self.is_open and self._window.failed(began or now, now)):
                self._open(granted_us, _why(outcome))

    def _open(self, granted_us: int, why: str) -> None:
        self.is_open = True
        self._since_us = math.inf  # until Redis has said when
        self._window.clear()
        self._orders.put_nowait((granted_us, why))

    async def run(self) -> None:
        """Tells Redis, until cancelled."""
        while True:
            granted_us, why = await self._orders.get()
            try:
                await self._tell(granted_us, why)
            except RedisError as error:
                log.warning("the circuit waits for Redis: %s", type(error).__name__)
                self._orders.put_nowait((granted_us, why))
                await asyncio.sleep(_RETRY_S)
            self._orders.task_done()

    async def told(self) -> None:
        """Waits until Redis knows all."""
        await self._orders.join()

    async def _tell(self, granted_us: int, why: str) -> None:
        if not why:
            if await self._dispatch.close(granted_us):
                log.warning("the carrier answers again")
            return
        news, self._since_us = await self._dispatch.trip(granted_us, why)
        if news:
            log.warning("nothing is sent for a while, the carrier does not answer: %s", why)


def _why(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, NotSent | PerhapsSent) else type(outcome).__name__
