"""Outcomes on their way back into Redis: gathered for a moment, settled in one call, never dropped while Redis is away."""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic

from redis.exceptions import RedisError

from volley.carrier.outcome import Scope
from volley.outbox.dispatch import Outcomes
from volley.outbox.events import AttemptRecord, pack
from volley.outbox.flights import NO_ATTEMPT, OUTCOME, Grant
from volley.outbox.outbox import Outbox
from volley.outbox.pool import Member
from worker.memory import Memory
from worker.next import Next, Rest

log = logging.getLogger(__name__)

LINGER_S = 0.02
_MOST = 500
_RETRY_S = 0.25
_MAX_DELAY_US = 4_000_000_000


@dataclass(slots=True)
class _Batch:
    """Outcomes by token: those with an attempt to record, then those without."""

    recorded: dict[str, tuple[bytearray, list[AttemptRecord]]] = field(default_factory=dict)
    bare: dict[str, bytearray] = field(default_factory=dict)
    size: int = 0

    def outcomes(self) -> list[Outcomes]:
        found = [Outcomes(token, bytes(packed)) for token, (packed, _) in self.recorded.items()]
        return found + [Outcomes(token, bytes(packed)) for token, packed in self.bare.items()]

    def payload(self) -> bytes:
        records = [record for _, of_flight in self.recorded.values() for record in of_flight]
        return pack(records) if records else b""


class Settler:
    """`run` it beside the drain; `states` counts what messages came to, '-' what came too late to count."""

    def __init__(self, outbox: Outbox, memory: Memory) -> None:
        self._outbox = outbox
        self._memory = memory
        self._batch = _Batch()
        self._rests: dict[str, tuple[float, str]] = {}
        self._known_rests: dict[str, tuple[float, str]] = {}
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.states: Counter[str] = Counter()

    def add(self, token: str, grant: Grant, step: Next, record: AttemptRecord | None) -> None:
        """One message's outcome. Without a record nothing was tried."""
        delay_us = min(_MAX_DELAY_US, int(step.delay_s * 1_000_000)) if step.delay_s else 0
        flags = step.flags if record is not None else step.flags | NO_ATTEMPT
        parts, cost = (record.carrier_parts, record.cost_micros) if record is not None else (0, -1)
        packed = OUTCOME.pack(grant.position, step.state.encode(), flags, delay_us, parts, cost)
        batch = self._batch
        if record is None:
            batch.bare.setdefault(token, bytearray()).extend(packed)
        else:
            of_flight = batch.recorded.get(token)
            if of_flight is None:
                of_flight = batch.recorded[token] = (bytearray(), [])
            of_flight[0].extend(packed)
            of_flight[1].append(record)
        batch.size += 1
        if batch.size == 1:
            self._empty.clear()
            self._wake.set()

    def rest(self, bucket: str, rest: Rest) -> None:
        """A bucket is to rest; a longer rest that is known already is left alone."""
        until = monotonic() + rest.seconds
        if until > self._known_rests.get(bucket, (0.0, ""))[0] + 0.1:
            self._known_rests[bucket] = self._rests[bucket] = (until, rest.reason)
            log.warning("%s rests for %.0f s: %s", _in_words(bucket), rest.seconds, rest.reason)
            self._wake.set()

    def rest_again(self) -> None:
        """Tells Redis of all rests that are not over: it may have forgotten them."""
        now = monotonic()
        self._known_rests = {bucket: known for bucket, known in self._known_rests.items() if known[0] > now}
        self._rests = self._known_rests | self._rests
        if self._rests:
            self._wake.set()

    async def run(self) -> None:
        """Settles until cancelled."""
        while True:
            await self._wake.wait()
            if self._batch.size < _MOST:
                await asyncio.sleep(LINGER_S)
            self._wake.clear()
            await self._flush()

    async def drained(self) -> None:
        """Waits until all that was added is settled."""
        await self._empty.wait()

    async def _flush(self) -> None:
        batch, self._batch = self._batch, _Batch()
        rests, self._rests = self._rests, {}
        outcomes, payload = batch.outcomes(), batch.payload()
        if outcomes:
            self._memory.settled(outcomes, payload)
        while True:
            try:
                await self._send_rests(rests)
                if outcomes:
                    mask = await self._outbox.dispatch.settle(outcomes, payload)
                    self.states.update(mask.decode())
                break
            except RedisError as error:
                # the same call again: what it had settled the first time is refused as stale, and nothing is lost
                log.warning("settling waits for Redis: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_S)
        if not self._batch.size:
            self._empty.set()

    async def _send_rests(self, rests: dict[str, tuple[float, str]]) -> None:
        if not rests:
            return
        seconds, micros = await self._outbox.redis.time()
        for bucket, (until, reason) in rests.items():
            until_us = seconds * 1_000_000 + micros + int(max(0.0, until - monotonic()) * 1_000_000)
            await self._outbox.dispatch.rest(bucket, until_us, reason)


def bucket_of(scope: Scope, member: Member, sender_index: int) -> str:
    """The bucket that a scope means for a message of one sender."""
    match scope:
        case "account":
            return "a"
        case "profile":
            return f"p{member.profile_index}"
        case "group" if member.group:
            return f"g{member.group}"
        case "group" | "sender":
            return f"s{sender_index}"


def _in_words(bucket: str) -> str:
    """A bucket for the log, which holds no numbers."""
    kind, index = bucket[:1], bucket[1:]
    if kind == "a":
        return "the account"
    if kind == "g":
        return f"registered campaign {index}"
    return f"{'profile' if kind == 'p' else 'sender'} no. {index}"
