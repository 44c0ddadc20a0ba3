"""The story: take, barrier, send, settle.

A drain takes what may go now (the grant is on the disk before it is answered), sends each message at its moment under
the carrier's eyes, and hands every outcome to the settler. It takes only while it holds a lease: an arq job gives one.
"""

import asyncio
import logging
import random
import secrets
import time
from time import monotonic

from redis.exceptions import RedisError

from volley.carrier.outcome import LATE, NotSent, Outcome
from volley.carrier.telnyx import Carrier
from volley.errors import VolleyError
from volley.outbox.chunks import Chunk
from volley.outbox.events import AttemptRecord
from volley.outbox.flights import Flight, Grant
from volley.outbox.outbox import Outbox
from volley.outbox.pool import Member
from volley.outbox.scripts import BARRIER_MS, BarrierFailed
from volley.state import State
from worker.next import Next, Rest, after, backoff_s
from worker.pacing import Clock
from worker.records import attempt_record
from worker.settling import Settler, bucket_of
from worker.texts import Texts, Voice

log = logging.getLogger(__name__)

BATCH = 100
PAUSE_S = 0.02
IDLE_PAUSE_S = 0.05
MARGIN_S = 5.0
_RELEASE_TRIES = 8
_MIN_SLEEP_S = 0.001


class Drain:
    """One a process. `idle_since` is when it last found nothing at all to do (0.0: it has work)."""

    def __init__(
        self,
        outbox: Outbox,
        carrier: Carrier,
        texts: Texts,
        settler: Settler,
        *,
        concurrency: int,
        http_timeout_s: float,
        max_attempts: int,
    ) -> None:
        self._outbox = outbox
        self._carrier = carrier
        self._texts = texts
        self._settler = settler
        self._slots = concurrency
        self._least = min(BATCH, concurrency // 5 + 1)
        self._life_us = int((BARRIER_MS / 1000 + http_timeout_s + MARGIN_S) * 1_000_000)
        self._most = max_attempts
        self._members: dict[int, Member] = {}
        self._freed = asyncio.Event()
        self._wake = asyncio.Event()
        self._unreachable = 0
        self._closed_until = 0.0
        self.low_water = max(500, 10 * concurrency)
        self.lease = 0.0
        self.stopped = asyncio.Event()
        self.in_flight = 0
        self.started = 0
        self.idle_since = 0.0
        self.hungry: set[str] = set()
        self.hungry_now = asyncio.Event()

    @property
    def stopping(self) -> bool:
        return self.stopped.is_set()

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
            while not self.stopping:
                self._wake.clear()
                pause = await self._step(group) if monotonic() < self.lease else IDLE_PAUSE_S
                if pause and not self.stopping:
                    await self._pause(pause)

    def stop(self) -> None:
        """Stops taking. What is granted and has not begun is given back; what is in flight ends first."""
        self.stopped.set()
        self._wake.set()
        self._freed.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _step(self, group: asyncio.TaskGroup) -> float:
        """One take and the start of what it granted; the answer is how long to pause before the next."""
        want = min(BATCH, self._slots - self.in_flight)
        if want < self._least:
            self._freed.clear()
            await self._freed.wait()
            return 0.0
        taken = await self._take(want)
        if taken is None:
            return backoff_s(1, random.random()) / 4
        flight, clock = taken
        self.started += len(flight.grants)
        for grant in flight.grants:
            self.in_flight += 1
            group.create_task(self._deliver(flight.token, grant, clock))
        return self._rest_of(flight, want)

    def _rest_of(self, flight: Flight, want: int) -> float:
        if flight.hungry:
            self.hungry.update(flight.hungry)
            self.hungry_now.set()
        if flight.why == "ledger":
            log.warning("taking waits: the ledger is behind; is volley serve running?")
            return 1.0
        idle = flight.why == "idle"
        self.idle_since = (self.idle_since or monotonic()) if idle else 0.0
        if len(flight.grants) >= want:
            return 0.0
        return PAUSE_S if flight.grants else IDLE_PAUSE_S if idle else PAUSE_S

    async def _take(self, want: int) -> tuple[Flight, Clock] | None:
        """A flight whose grants are on the disk and whose texts are at hand; None: nothing may be sent now."""
        token = secrets.token_urlsafe(12)
        asked = monotonic()
        try:
            flight = await self._outbox.dispatch.take(token, want, life_us=self._life_us, low_water=self.low_water)
            clock = Clock(asked, monotonic(), flight.now_us)
            if flight.grants:
                await self._texts.fetch(flight.grants)
                await self._learn_members(flight)
        except (RedisError, BarrierFailed) as error:
            log.warning("nothing is taken: %s", type(error).__name__)
            await self._release(token)
            return None
        except VolleyError:
            await self._release(token)
            raise
        return flight, clock

    async def _learn_members(self, flight: Flight) -> None:
        if any(grant.sender not in self._members for grant in flight.grants):
            self._members = await self._outbox.dispatch.members()

    async def _release(self, token: str) -> None:
        for turn in range(_RELEASE_TRIES):
            try:
                return await self._outbox.dispatch.release(token)
            except RedisError:
                await asyncio.sleep(0.1 * 2**turn / 4)
        log.warning("a flight could not be given back; its messages become unknown when it is reaped")

    async def _deliver(self, token: str, grant: Grant, clock: Clock) -> None:
        """One message: waits for its moment, sends it, hands over what came of it."""
        try:
            # held to the end, as newer flights may push them out of the texts at hand
            voice, chunk = self._texts.of(grant)
            wait = clock.moment(grant.moment_us) - monotonic()
            if wait > _MIN_SLEEP_S:
                await asyncio.sleep(wait)
            outcome, sent_at = await self._send(grant, clock, voice, chunk)
            record = None
            if not (isinstance(outcome, NotSent) and outcome.reason == LATE):
                sender = self._members[grant.sender].number
                record = attempt_record(grant, voice.campaign, chunk, sender, outcome, clock, sent_at)
            self._hand_over(token, grant, outcome, record)
        except Exception:
            # our own mistake: it may have gone out, so it is not tried again
            log.exception("message %s-%d-%d", grant.campaign, grant.chunk, grant.offset)
            self._settler.add(token, grant, Next(State.UNKNOWN), None)
        finally:
            self.in_flight -= 1
            if self._slots - self.in_flight >= self._least:
                self._freed.set()

    async def _send(self, grant: Grant, clock: Clock, voice: Voice, chunk: Chunk) -> tuple[Outcome, float]:
        if self.stopping:
            return NotSent(LATE), 0.0
        request, key = self._texts.request(grant, voice, chunk, self._members[grant.sender].number)
        return await self._carrier.send(request, key, clock.deadline(grant.moment_us))

    def _hand_over(self, token: str, grant: Grant, outcome: Outcome, record: AttemptRecord | None) -> None:
        step = after(outcome, grant.spent, most=self._most, now_s=time.time(), chance=random.random())
        if record is not None:
            self._watch_the_way(outcome)
        self._settler.add(token, grant, step, record)
        if step.rest is not None:
            profile_index = self._members[grant.sender].profile_index
            self._settler.rest(bucket_of(step.rest.scope, profile_index, grant.sender), step.rest)

    def _watch_the_way(self, outcome: Outcome) -> None:
        """The carrier cannot be reached: all wait a little, longer each time, instead of each message trying for itself."""
        if not isinstance(outcome, NotSent):
            self._unreachable = 0
        elif monotonic() >= self._closed_until:  # those that began before the rest tell nothing new
            self._unreachable += 1
            seconds = min(30.0, backoff_s(self._unreachable, random.random()))
            self._closed_until = monotonic() + seconds
            self._settler.rest("a", Rest("account", seconds, f"the carrier cannot be reached: {outcome.reason}"))
