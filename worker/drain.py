"""The story: take, barrier, send, settle.

A drain takes what may go now (the grant is on the disk before it is answered), sends each message at its moment under
the carrier's eyes, and hands every outcome to the settler. It takes only while it holds a lease: an arq job gives one.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from time import monotonic

from redis.exceptions import RedisError

from volley.errors import TryAgainLater, VolleyError
from volley.outbox.dispatch import Reach, reach
from volley.outbox.flights import Flight
from volley.outbox.outbox import Outbox
from volley.outbox.pool import Member
from volley.outbox.scripts import BARRIER_MS
from volley.watchdog import Watchdog
from worker.delivery import Delivery
from worker.memory import Memory
from worker.next import backoff_s
from worker.pacing import Away, Clock
from worker.recovery import Recovery
from worker.texts import Held, Texts

log = logging.getLogger(__name__)

BATCH = 100
PAUSE_S = 0.02
IDLE_PAUSE_S = 0.05
CIRCUIT_PAUSE_S = 0.2
HOLD_PAUSE_S = 0.1
STOPPED_PAUSE_S = 0.25
MARGIN_S = 5.0
_RELEASE_EVERY_S = 0.25


_Ask = Callable[[str, Reach], Awaitable[Flight]]
"""Takes under a token, so far ahead, and waits for the barrier."""


def life_s(http_timeout_s: float) -> float:
    """How long a flight may live before it is reaped."""
    return BARRIER_MS / 1000 + http_timeout_s + MARGIN_S


class Drain:
    """One a process. `idle_since` is when it last found nothing at all to do (0.0: it has work), `why` what its last take said of
    that: ledger, hold, circuit, idle, or ''. `quiet`: it takes nothing more and goes on with what it has, until told otherwise.
    """

    def __init__(
        self,
        outbox: Outbox,
        texts: Texts,
        delivery: Delivery,
        memory: Memory,
        recovery: Recovery,
        *,
        concurrency: int,
        http_timeout_s: float,
    ) -> None:
        self._outbox = outbox
        self._texts = texts
        self._delivery = delivery
        self._memory = memory
        self._recovery = recovery
        self.watchdog = Watchdog()
        self.life_us = int(life_s(http_timeout_s) * 1_000_000)
        self._members: dict[int, Member] = {}
        self._away = Away()
        self._wake = asyncio.Event()
        self._repeating = asyncio.Lock()
        self._full = False
        self.low_water = max(500, 10 * concurrency)
        self.lease = 0.0
        self.stopped = delivery.stopped
        self.quiet = False
        self.failure: Exception | None = None
        self.started = 0
        self.idle_since = 0.0
        self.why = ""
        self.hungry: set[str] = set()
        self.hungry_now = asyncio.Event()

    @property
    def stopping(self) -> bool:
        return self.stopped.is_set()

    @property
    def taking(self) -> bool:
        """Whether it takes at all: it neither ends nor is quiet."""
        return not (self.quiet or self.stopping)

    def extend(self, until: float) -> None:
        """Lets the drain take until `until` (monotonic)."""
        self.lease = max(self.lease, until)
        self._wake.set()

    def nudge(self) -> None:
        """Something new may be waiting: take at once."""
        self._wake.set()

    async def run(self) -> None:
        """Drains until told to stop, then waits for what is in flight."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._delivery.run(group)), group.create_task(self._delivery.watch())]
            beside.append(group.create_task(self.watchdog.run()))
            while not self.stopping:
                self._wake.clear()
                pause = await self._step() if self.taking and monotonic() < self.lease else IDLE_PAUSE_S
                if pause and not self.stopping:
                    await self._pause(pause)
            async with self._repeating:
                pass  # what a repeat under way is granted comes to delivery while that is still at work
            await self._delivery.emptied()
            for task in beside:
                task.cancel()

    def stop(self) -> None:
        """Stops taking. What is granted and has not begun is given back; what is in flight ends first."""
        self.stopped.set()
        self._wake.set()
        self._delivery.freed.set()

    def fail(self, error: Exception) -> None:
        """Ends as a signal does, and with this error (the first one counts): what is in the air ends first, cut off it would be unknown."""
        self.failure = self.failure or error
        self.stop()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _step(self) -> float:
        """A take or two and the handing over of what they granted; the answer is how long to pause before the next.

        While takes come back full, two go together: they share a write to the disk, and the next messages are here in time.
        """
        if self.watchdog.behind:
            return HOLD_PAUSE_S
        delivery = self._delivery
        room = delivery.room()
        if not room:
            delivery.freed.clear()
            await delivery.freed.wait()
            return 0.0
        wants = [min(BATCH, room)]
        if self._full and room >= BATCH + BATCH // 2:
            wants.append(min(BATCH, room - BATCH))
        pauses = await asyncio.gather(*(self._take_and_put(want) for want in wants))
        self._full = not any(pauses)
        return max(pauses)

    async def _take_and_put(self, want: int) -> float:
        """One take; what it granted is put at once, as the other one may be waiting for Redis."""
        dispatch = self._outbox.dispatch
        try:
            flight = await self._fly(
                lambda token, how: dispatch.take(token, want, life_us=self.life_us, low_water=self.low_water, how=how)
            )
            return backoff_s(1, random.random()) / 4 if flight is None else self._rest_of(flight, want)
        except Exception as error:
            log.exception("a take broke, so the worker ends")
            self.fail(error)
            return 0.0

    async def repeat(self, most: int, *, honoured: bool, give_up_us: int) -> Flight | None:
        """Repeats up to `most` unknown messages, as Dispatch.repeat grants them; None: nothing may be sent now."""
        dispatch = self._outbox.dispatch
        async with self._repeating:
            want = min(most, self._delivery.free)
            if not self.taking or self.watchdog.behind or want <= 0:
                return None
            return await self._fly(
                lambda token, how: dispatch.repeat(
                    token, want, honoured=honoured, life_us=self.life_us, give_up_us=give_up_us, how=how
                )
            )

    async def _fly(self, ask: _Ask) -> Flight | None:
        """What was granted is in delivery when this returns."""
        taken = await self._take(ask)
        if taken is None:
            return None
        flight, clock, held = taken
        if flight.grants or not flight.repeats:
            self.started += len(flight.grants)
            self._delivery.put(flight, clock, held, self._members)
        return flight

    def _rest_of(self, flight: Flight, want: int) -> float:
        self.why = flight.why
        if flight.hungry:
            self.hungry.update(flight.hungry)
            self.hungry_now.set()
        if flight.why == "ledger":
            log.warning("taking waits: the ledger is behind; is volley serve running?")
            return 1.0
        if flight.probes:
            return CIRCUIT_PAUSE_S
        if flight.why == "hold":
            return HOLD_PAUSE_S
        if flight.why == "stopped":
            self.idle_since = 0.0
            return STOPPED_PAUSE_S
        idle = flight.why == "idle"
        self.idle_since = (self.idle_since or monotonic()) if idle else 0.0
        if len(flight.grants) >= want:
            return 0.0
        return PAUSE_S if flight.grants else IDLE_PAUSE_S if idle else PAUSE_S

    async def _take(self, ask: _Ask) -> tuple[Flight, Clock, Held] | None:
        """A flight whose grants are on the disk, and its texts; None: nothing may be sent now."""
        token = secrets.token_urlsafe(12)
        how = reach(int(self._away.seconds * 1_000_000))
        asked = monotonic()
        try:
            flight = await ask(token, how)
            clock = Clock(asked, monotonic(), flight.now_us, how.late_us)
            self._away.saw(clock.answered - asked)
            if flight.run != self._memory.run:
                # it may grant what it has forgotten that we sent: first it hears of that
                await self._release(token)
                await self._recovery.heard(flight.run)
                return None
            held = await self._texts.fetch(flight.grants)
            await self._learn_members(flight)
            if flight.run != self._memory.run:
                await self._release(token)  # another server has come meanwhile, and was not told of this flight
                return None
        except (RedisError, TryAgainLater) as error:  # a failed barrier is one
            log.warning("nothing is taken: %s", type(error).__name__)
            await self._release(token)
            return None
        except Exception as error:
            if not isinstance(error, VolleyError):  # which say themselves what is to be done
                log.exception("a take broke, so the worker ends")
            self.fail(error)
            await self._release(token)
            return None
        if flight.grants:
            self._memory.took(flight, self.life_us)
        return flight, clock, held

    async def _learn_members(self, flight: Flight) -> None:
        if any(grant.sender not in self._members for grant in flight.grants):
            self._members = await self._outbox.dispatch.members()

    async def _release(self, token: str) -> None:
        """For as long as Redis is away: a take that was not answered may still have granted, or do so when it wakes up."""
        while True:
            try:
                return await self._outbox.dispatch.release(token)
            except RedisError:
                if self.stopping:
                    log.warning("a flight could not be given back; its messages become unknown when it is reaped")
                    return
                await asyncio.sleep(_RELEASE_EVERY_S)
