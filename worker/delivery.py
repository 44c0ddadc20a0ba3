"""One message at its moment: rendered, sent, and what came of it handed over.

Granted messages wait in a short queue; runners take them from it. While some wait and the loop has time, a few more are set
to work every other millisecond: a fast carrier is served by few of them, over few warm connections, a slow one by as many
as there are slots.
"""

import asyncio
import logging
import random
import time
from collections import Counter, deque
from time import monotonic
from typing import NamedTuple

from volley.carrier.codes import policy
from volley.carrier.labels import ACCEPTED, label
from volley.carrier.outcome import LATE, Accepted, NotSent, Outcome, Refused
from volley.carrier.telnyx import Carrier
from volley.outbox.chunks import Chunk
from volley.outbox.events import AttemptRecord
from volley.outbox.flights import Flight, Grant
from volley.outbox.pool import Member
from volley.state import State
from worker.circuit import Circuit
from worker.next import SUBMITTED, Next, after
from worker.pacing import Clock
from worker.records import attempt_record
from worker.settling import Settler, bucket_of
from worker.texts import Held, Texts, Voice

log = logging.getLogger(__name__)

_AT_ONCE = 8
_EVERY_S = 0.002
_LATE = 2
_AHEAD_S = 0.03
"""How much work may wait here when more is taken: a take's time, and far from being late."""
_MIN_SLEEP_S = 0.001
_WATCH_S = 0.1
_TOO_LATE = NotSent(LATE)


class Granted(NamedTuple):
    """A message on its way. Holds its text's parts itself, as newer flights may push them out of those at hand.

    `probe`: it tries whether the carrier is back. `again`: it is a repeat.
    """

    token: str
    grant: Grant
    clock: Clock
    voice: Voice
    chunk: Chunk
    member: Member
    probe: bool
    again: bool


class Delivery:
    """`slots` bounds how many are sent at once; `low` is how few wait when more may be taken.

    `unknown_codes` counts refusals by error codes that this release does not know: they ended their messages; `outcomes` what
    attempts came to, by label.
    """

    def __init__(
        self,
        carrier: Carrier,
        texts: Texts,
        settler: Settler,
        circuit: Circuit,
        *,
        slots: int,
        max_attempts: int,
    ) -> None:
        self._carrier = carrier
        self._texts = texts
        self._settler = settler
        self._circuit = circuit
        self._slots = slots
        self._most = max_attempts
        self._waiting: deque[Granted] = deque()
        self._running = 0
        self._least = min(100, slots // 5 + 1)
        self._low = self._least // 2
        self._delivered = 0
        self._arrived = asyncio.Event()
        self._parked: list[asyncio.Future[bool]] = []
        self.unknown_codes: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.freed = asyncio.Event()
        self.stopped = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Messages granted and not yet handed over."""
        return self._running + len(self._waiting)

    @property
    def free(self) -> int:
        """How many more could be sent at once."""
        return self._slots - self.in_flight

    def room(self) -> int:
        """How many more may be taken now; 0 while too few for a flight worth its take."""
        free = self.free
        return free if free >= self._least and len(self._waiting) <= self._low else 0

    async def emptied(self) -> None:
        """Waits until nothing waits and nothing runs."""
        while self.in_flight:
            self.freed.clear()
            await self.freed.wait()

    def put(self, flight: Flight, clock: Clock, held: Held, members: dict[int, Member]) -> None:
        """The messages of a flight, and their texts."""
        make, probe, again = Granted._make, flight.probes, flight.repeats
        if flight.why not in ("hold", "stopped", "ledger"):  # those did not come as far as the circuit
            self._circuit.heard(flight.now_us, probe)
        for grant in flight.grants:
            at_hand = held.get((grant.campaign, grant.chunk))
            if at_hand is None:
                log.error("message %s-%d-%d has no text left: set aside", grant.campaign, grant.chunk, grant.offset)
                self._settler.add(flight.token, grant, Next(State.DEAD), None)
            else:
                self._waiting.append(make((flight.token, grant, clock, *at_hand, members[grant.sender], probe, again)))
        self._arrived.set()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Sets runners to work while messages wait, until cancelled; then sends them home."""
        on_time = True
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting and self._running < self._slots:
                    # a loop that comes round late is busy with what it has: more at once would only cost more
                    if on_time or not self._running:
                        for _ in range(min(_AT_ONCE, len(self._waiting), self._slots - self._running)):
                            self._set_to_work(group)
                    began = monotonic()
                    await asyncio.sleep(_EVERY_S)
                    on_time = monotonic() - began < _LATE * _EVERY_S
        finally:
            for parked in self._parked:
                parked.cancel()

    def _set_to_work(self, group: asyncio.TaskGroup) -> None:
        self._running += 1
        if self._parked:
            self._parked.pop().set_result(True)
        else:
            group.create_task(self._runner())

    async def watch(self) -> None:
        """Lets as much wait here as is delivered in _AHEAD_S, until cancelled."""
        while True:
            before = self._delivered
            await asyncio.sleep(_WATCH_S)
            rate = (self._delivered - before) / _WATCH_S
            self._low = max(self._least // 2, min(self._slots // 2, int(rate * _AHEAD_S)))

    async def _runner(self) -> None:
        """Delivers while something waits, then parks until there is work again."""
        waiting = self._waiting
        while True:
            while waiting:
                granted = waiting.popleft()
                if len(waiting) <= self._low:
                    self.freed.set()  # now, not when it is delivered: its answer may take long
                await self._deliver(granted)
                self._delivered += 1
            self._running -= 1
            self.freed.set()
            parked = asyncio.get_running_loop().create_future()
            self._parked.append(parked)
            await parked

    async def _deliver(self, granted: Granted) -> None:
        token, grant, clock, voice, chunk, member, probe, again = granted
        try:
            wait = clock.moment(grant.moment_us) - monotonic()
            if wait > _MIN_SLEEP_S:
                await asyncio.sleep(wait)
            outcome: Outcome = _TOO_LATE
            sent_at = 0.0
            if not self.stopped.is_set() and (probe or not self._circuit.is_open):
                request, key, endpoint = self._texts.request(grant, voice, chunk, member)
                outcome, sent_at = await self._carrier.send(request, key, clock.deadline(grant.moment_us), endpoint)
            tried = type(outcome) is Accepted or outcome != _TOO_LATE
            record = attempt_record(grant, voice.campaign, chunk, member, outcome, clock, sent_at) if tried else None
            if type(outcome) is Accepted:  # nearly always: nothing more need be looked at
                self._circuit.answered(clock.now_us, sent_at, probe)
                self._settler.add(token, grant, SUBMITTED, record)
                self.outcomes[ACCEPTED] += 1
            else:
                self.outcomes[label(outcome)] += 1
                self._circuit.saw(outcome, clock.now_us, sent_at, probe)
                self._hand_over(token, grant, member, outcome, record, again)
        except Exception:
            # our own mistake: it may have gone out, so it is not tried again
            about = {"campaign": grant.campaign, "flight": token}
            log.exception("message %s-%d-%d", grant.campaign, grant.chunk, grant.offset, extra=about)
            self._settler.add(token, grant, Next(State.UNKNOWN), None)

    def _hand_over(
        self, token: str, grant: Grant, member: Member, outcome: Outcome, record: AttemptRecord | None, again: bool
    ) -> None:
        if isinstance(outcome, Refused) and outcome.code and not policy(outcome.code, outcome.status).known:
            self._tell_of(outcome.code)
        step = after(outcome, grant.spent, most=self._most, now_s=time.time(), chance=random.random(), again=again)
        self._settler.add(token, grant, step, record)
        if step.rest is not None:
            self._settler.rest(bucket_of(step.rest.scope, member, grant.sender), step.rest)

    def _tell_of(self, code: str) -> None:
        self.unknown_codes[code] += 1
        if self.unknown_codes[code] == 1:
            log.warning("the carrier refused with %r, a code that this release does not know: such messages end", code)
