"""From the ledger stream into SQL: entries are committed first, acknowledged second, and never the other way round.

Any number of recorders may run. They share the stream's consumer group, take over what a dead one left, and harm
nothing by writing the same entry twice: rows merge to the same end in any order. So there is no lock and no leader.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import msgpack
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential

from volley.carrier.labels import undelivered
from volley.errors import VolleyError
from volley.ledger.apply import apply
from volley.ledger.copies import ChunkName, copy_chunks
from volley.ledger.engine import is_about_rows, is_away, writing
from volley.ledger.facts import Entry, Facts, NewerEntry
from volley.ledger.feed import prune
from volley.ledger.inbound import document
from volley.ledger.merge import Upserts
from volley.ledger.rows import Row
from volley.ledger.stream import LedgerStream
from volley.outbox import outcomes
from volley.outbox.events import MOVE
from volley.outbox.inbound import hand_on
from volley.outbox.outbox import Outbox

log = logging.getLogger(__name__)

_READ = 200
_MOST = 600
"""Entries of one read: more where they are light and many wait, so that a transaction is worth its flush."""
_BLOCK_MS = 1000
_LINGER_S = 0.1
"""After a small batch: entries gather meanwhile, and share one commit. Each costs some ten milliseconds and a flush of the disk,
for which Redis waits too."""
_LOOK_AROUND_S = 15.0
"""How often to look for what a dead recorder left."""
_PRUNE_S = 600.0
_BATCH_RECORDS = 3_000
"""In one transaction: its thread is held for some 100 ms by as many, and other writers of the database wait for it."""
_RECORD_BYTES = 150
_SIZES = {b"moves": MOVE.size, b"optouts": 68}
"""Bytes a record of the kinds whose records are small."""
_LONGEST_WAIT_S = 5.0
_REST_S = 0.5


@dataclass(slots=True)
class Counts:
    """Since the start. `missing_chunks`: sealed, and neither in Redis nor in the ledger."""

    batches: int = 0
    entries: int = 0
    attempts: int = 0
    moves: int = 0
    receipts: int = 0
    inbound: int = 0
    quarantined: int = 0
    missing_chunks: int = 0


class Recorder:
    """`name` tells it from recorders of other machines; under the same name a restart goes on where it ended."""

    def __init__(
        self,
        outbox: Outbox,
        engine: AsyncEngine,
        *,
        name: str | None = None,
        inbound_bound: int = 100_000,
        event_days: int = 7,
    ) -> None:
        self._outbox = outbox
        self._engine = engine
        self._stream = LedgerStream(outbox.redis, outbox.keys.ledger, name or socket.gethostname())
        self._upserts = Upserts(engine.dialect.name)
        self._inbound_bound = inbound_bound
        self._event_days = event_days
        self._pruned = -_PRUNE_S
        self._senders: dict[int, str] = {}
        self._unretired: set[str] = set()
        self._ask = _READ
        self._undelivered: Counter[str] = Counter()
        self._stopping = asyncio.Event()
        self.counts = Counts()

    async def run(self) -> None:
        """Records until `stop`. Waits where Redis or the database is away.

        Raises:
            NewerEntry: a later release wrote an entry; it and all behind it stay in the stream.
        """
        while not self._stopping.is_set():
            try:
                await self._retrying(self._stream.ensure)
                await self._follow()
            except Exception as error:
                if not _may_pass(error):
                    raise
                log.warning("recorder: %s; what is not acknowledged stays in the stream", error)
                await self._pause(_REST_S)

    def stop(self) -> None:
        """The batch at work is finished, what follows stays in the stream."""
        self._stopping.set()

    async def lag_seconds(self) -> float:
        """Age of the oldest entry that is not in the ledger yet; 0.0 when all are."""
        return await self._stream.lag_seconds()

    async def catch_up(self) -> int:
        """Records what is in the stream now, and returns how many entries that was. For commands and tests."""
        before = self.counts.entries
        await self._stream.ensure()
        await self._own()
        while entries := await self._fresh(0):
            await self._record(entries)
        return self.counts.entries - before

    async def _follow(self) -> None:
        await self._own()
        looked = -_LOOK_AROUND_S
        while not self._stopping.is_set():
            if time.monotonic() - looked >= _LOOK_AROUND_S:
                await self._adopt()
                looked = time.monotonic()
                await self._prune()
            asked = self._ask
            entries = await self._fresh(_BLOCK_MS)
            await self._record(entries)
            if 0 < len(entries) < asked:
                await self._pause(_LINGER_S)

    async def _fresh(self, block_ms: int) -> list[Entry]:
        """What nobody was given yet. The fuller it is of light entries, the more of them the next read asks for."""
        entries = await self._stream.fresh(self._ask, block_ms)
        full = len(entries) >= self._ask
        light = len(entries) * _BATCH_RECORDS // (sum(map(_weight, entries)) or 1) if full else 0
        self._ask = max(_READ, min(light, _MOST))
        return entries

    async def _prune(self) -> None:
        if time.monotonic() - self._pruned >= _PRUNE_S:
            await self._retrying(lambda: prune(self._engine, self._event_days))
            self._pruned = time.monotonic()

    async def _own(self) -> None:
        while not self._stopping.is_set() and (entries := await self._stream.own(_READ)):
            await self._record(entries)

    async def _adopt(self) -> None:
        while not self._stopping.is_set() and (entries := await self._stream.abandoned(_READ)):
            await self._record(entries)

    async def _record(self, entries: Sequence[Entry]) -> None:
        for batch in _batches(entries):
            if self._stopping.is_set():
                return
            readable, newer = _readable(batch)
            if readable:
                await self._apply(readable)
                await self._acknowledge([entry.id for entry in readable])
            if newer:
                raise newer

    async def _acknowledge(self, ids: Sequence[str]) -> None:
        if self._undelivered:
            await outcomes.count(self._outbox.redis, self._outbox.keys, self._undelivered)
            self._undelivered.clear()
        # chunks are dropped before the entries are: a crash in between repeats both
        await self._outbox.retire(sorted(self._unretired), await self._stream.committed_up_to(ids))
        self._unretired.clear()
        await self._stream.acknowledge(ids)
        self.counts.batches += 1
        self.counts.entries += len(ids)

    async def _apply(self, entries: Sequence[Entry]) -> None:
        """One transaction; should an entry spoil it, two smaller ones, until the bad entry is alone and set aside."""
        try:
            await self._retrying(lambda: self._commit(entries))
        except Exception as error:
            # with the tables or our rights there wrong, every entry would be set aside
            if _may_pass(error) or isinstance(error, VolleyError) or not is_about_rows(error):
                raise
            if len(entries) > 1:
                middle = len(entries) // 2
                await self._apply(entries[:middle])
                await self._apply(entries[middle:])
            else:
                reason = f"{type(error).__name__}: {error}"[:500]
                await self._retrying(lambda: self._set_aside(entries[0], reason))

    async def _commit(self, entries: Sequence[Entry]) -> None:
        if any(entry.fields.get(b"k") == b"moves" for entry in entries):
            self._senders = await self._outbox.sender_numbers()
        facts = Facts()
        for entry in entries:
            facts.add(entry, self._senders.get)
        campaigns = [campaign for _, campaign in facts.sealed]
        facts.chunks, missing = await copy_chunks(self._engine, self._upserts, self._fetch, campaigns)
        async with writing(self._engine) as connection:
            came = await apply(connection, self._upserts, facts)
        # what is told once is lost to the counters if this process dies here: they are for watching, the rows are the truth
        for code, messages in came.undelivered.items():
            self._undelivered[undelivered(code)] += messages
        if came.texts:
            await hand_on(self._outbox, [document(text) for text in came.texts], self._inbound_bound)
        self._count(facts, missing)
        self._unretired |= facts.touched

    async def _fetch(self, names: Sequence[ChunkName]) -> list[bytes | None]:
        return await self._outbox.redis.mget([self._outbox.keys.chunk(*name) for name in names])

    def _count(self, facts: Facts, missing: Sequence[ChunkName]) -> None:
        self.counts.attempts += len(facts.attempts)
        self.counts.moves += len(facts.moves)
        self.counts.receipts += len(facts.receipts)
        self.counts.inbound += len(facts.inbound)
        self.counts.quarantined += len(facts.unreadable)
        self.counts.missing_chunks += len(missing)
        for campaign_id, chunk in missing:
            log.error("recorder: chunk %d of campaign %s is neither in Redis nor in the ledger", chunk, campaign_id)

    async def _set_aside(self, entry: Entry, reason: str) -> None:
        log.error("recorder: entry %s cannot be recorded and is kept in quarantine: %s", entry.id, reason)
        row: Row = {"entry_id": entry.id, "at_us": time.time_ns() // 1000, "error": reason}
        async with writing(self._engine) as connection:
            await self._upserts.quarantine.write(connection, [row | {"fields": msgpack.packb(dict(entry.fields))}])
        self.counts.quarantined += 1

    async def _retrying(self, work: Callable[[], Awaitable[object]]) -> None:
        """Until it is done, something else than an absence stops it, or the recorder is to stop."""
        wait = wait_exponential(0.1, max=_LONGEST_WAIT_S)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=wait,
            sleep=self._pause,
            stop=lambda _: self._stopping.is_set(),
            before_sleep=_tell,
            reraise=True,
        ):
            with attempt:
                await work()

    async def _pause(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_s)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, RedisError) or is_away(error)


def _tell(state: RetryCallState) -> None:
    if state.outcome is not None:
        log.warning("recorder: waits, attempt %d failed: %s", state.attempt_number, state.outcome.exception())


def _weight(entry: Entry) -> int:
    """Its records, about."""
    return len(entry.fields.get(b"p", b"")) // _SIZES.get(entry.fields.get(b"k", b""), _RECORD_BYTES) + 1


def _batches(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Entries that make a transaction of bearable size: a cancelled campaign's may hold ten thousand moves each."""
    start, weight = 0, 0
    for at, entry in enumerate(entries):
        weight += _weight(entry)
        if weight >= _BATCH_RECORDS:
            yield entries[start : at + 1]
            start, weight = at + 1, 0
    if start < len(entries):
        yield entries[start:]


def _readable(entries: Sequence[Entry]) -> tuple[Sequence[Entry], NewerEntry | None]:
    """What this release can read of a batch, up to the first entry of a newer one."""
    for at, entry in enumerate(entries):
        try:
            entry.check_version()
        except NewerEntry as newer:
            return entries[:at], newer
        except ValueError:
            continue
    return entries, None
