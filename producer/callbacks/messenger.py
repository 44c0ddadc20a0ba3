"""The chore that calls back: follows the feed for each callback, cuts it into deliveries, and tries them until they are taken.

A delivery is in the ledger before its first try, so each try has the same id and the same events, whoever makes it and whatever
was killed in between. One that fails holds up no later one until ten of its callback wait; a callback that is slow holds up itself.
"""

import asyncio
import logging
import random
import secrets as chance
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.callbacks import pace
from producer.callbacks.book import Book, Delivery
from producer.callbacks.line import Answered, Line
from producer.callbacks.secret import OF_CAMPAIGNS, secrets, signed
from volley.ledger.cursor import Cursor
from volley.ledger.documents import Document, moment
from volley.ledger.engine import is_away
from volley.ledger.feed_reader import FeedReader, Gone, Wish
from volley.ledger.happenings import mask, wanted
from volley.settings import Settings

log = logging.getLogger(__name__)

_ROUND_S = 0.5
_LEASE_US = 15_000_000
_RENEW_US = 7_000_000
_GIVE_BACK_S = 1.0
_CLEAR_S = 3600.0
_LOOK_S = 3.0
_MOST_NAMED = 400
"""Campaigns and callbacks that a look names; where there are more, it looks at all."""
_EVENTS = 200
"""In one call, some 60 KB."""
_MOST_WAITING = 10
_AT_ONCE, _AT_ONCE_A_HOST = 50, 4


class Messenger:
    def __init__(self, settings: Settings, engine: AsyncEngine, line: Line) -> None:
        self._settings = settings
        self._book = Book(engine)
        self._reader = FeedReader(engine)
        self._line = line
        self._name = chance.token_hex(8)
        self._scanned: int | None = None
        """How far the feed was looked through for campaigns; None: what is called back is looked at whole."""
        self._eager: set[str] = set()
        """Callbacks for which the feed may have something."""
        self._busy: Counter[str] = Counter()
        self._working: set[str] = set()
        self._known: set[str] = set()
        self._looked_s = float("-inf")
        self._cursors: dict[str, Cursor] = {}
        """How far the feed was looked through in vain; behind what the ledger has."""

    async def run(self) -> None:
        """Until it is cancelled; a database that is away is waited for."""
        if self._settings.secret is None:
            log.warning("VOLLEY_SECRET is not set: no callback is called, as none can be signed")
            return
        try:
            await self._rounds()
        finally:
            await self._give_back()

    async def _rounds(self) -> None:
        cleared = float("-inf")
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._round(group)
                    if time.monotonic() - cleared >= _CLEAR_S:
                        await self._book.clear(_now_us(), self._settings.event_days)
                        self._cursors = {name: held for name, held in self._cursors.items() if name in self._known}
                        cleared = time.monotonic()
                except Exception as error:  # noqa: BLE001 - the next round may go better, and nobody else calls back
                    why = "the ledger is away" if is_away(error) else "a round failed"
                    log.warning("callbacks wait: %s (%s)", why, type(error).__name__)
                await asyncio.sleep(_ROUND_S)

    async def _give_back(self) -> None:
        """Whoever begins next calls at once."""
        try:
            async with asyncio.timeout(_GIVE_BACK_S):
                await self._book.release(self._name)
        except Exception as error:  # noqa: BLE001 - another takes them over a little later
            log.warning("callbacks wait for up to %d s: not given back (%s)", _LEASE_US // 10**6, type(error).__name__)

    async def _round(self, group: asyncio.TaskGroup) -> None:
        due = await self._book.due(_now_us())
        told, scanned = await self._told()
        rows = await self._rows(told, due | self._eager | self._working)
        eager = {row.id for row in rows if not row.campaign_id or row.campaign_id in told or row.id not in self._known}
        urgent = due | self._eager | self._working | eager
        rows = [row for row in rows if row.id in urgent]
        held = await self._claimed(rows)
        # last: what failed before this is told, and found, once more
        self._scanned, self._eager, self._known = scanned, self._eager | eager, self._known | eager
        for row in rows:
            host = urlsplit(row.url).netloc
            room = len(self._working) < _AT_ONCE and self._busy[host] < _AT_ONCE_A_HOST
            if room and row.id in held and row.id not in self._working and (row.id in due or row.id in self._eager):
                self._eager.discard(row.id)
                self._working.add(row.id)
                self._busy[host] += 1
                group.create_task(self._serve(row, host))

    async def _told(self) -> tuple[set[str], int]:
        """Campaigns of which the feed tells since the last look: none the first time, when each callback is new and looked at anyway."""
        if self._scanned is None:
            return set(), (await self._reader.latest()).position
        return await self._book.told_of(self._scanned)

    async def _rows(self, told: set[str], ids: set[str]) -> list[Any]:
        """Those for which there may be something to do; all of them now and then, as one may be switched on again."""
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S and len(told) + len(ids) <= _MOST_NAMED:
            return await self._book.rows(told, ids)
        rows = await self._book.rows()
        on = {row.id for row in rows}
        self._looked_s, self._known, self._eager = now_s, self._known & on, self._eager & on
        return rows

    async def _claimed(self, rows: list[Any]) -> set[str]:
        """The ids of those that are this process's to call. What another process holds and does not renew is taken over."""
        now_us = _now_us()
        held = {row.id for row in rows if row.holder == self._name and row.held_us > now_us + _RENEW_US}
        free = [row.id for row in rows if row.id not in held and (row.holder == self._name or row.held_us < now_us)]
        if free:
            held |= await self._book.claim(free, self._name, now_us, now_us + _LEASE_US)
        return held

    async def _serve(self, row: Any, host: str) -> None:
        try:
            await self._tell(row)
        except Exception as error:  # noqa: BLE001 - one that cannot be served must not end what serves all of them
            self._eager.add(row.id)
            if not is_away(error):
                log.error("callback %s could not be served: %s", row.id, type(error).__name__)
        finally:
            self._working.discard(row.id)
            self._busy[host] -= 1
            if not self._busy[host]:
                del self._busy[host]

    async def _tell(self, row: Any) -> None:
        """What is due, then what is new, until one fails: the next round goes on from there."""
        waiting = await self._book.waiting(row.id)
        now_us = _now_us()
        for delivery in waiting:
            if delivery.due_us <= now_us and not await self._try(row, delivery):
                break
        else:
            waiting = await self._book.waiting(row.id)
        if len(waiting) >= _MOST_WAITING:
            return
        new = await self._cut(row)
        if new is not None:
            self._eager.add(row.id)
            await self._try(row, new)

    async def _cut(self, row: Any) -> Delivery | None:
        """The next events as a delivery; None where there are none, or where they have been cut since `row` was read."""
        after = max(Cursor.parse(row.cursor), self._cursors.get(row.id, Cursor(0, 0)))
        try:
            page = await self._reader.read(after, _wish(row), _EVENTS)
        except Gone:
            log.warning("callback %s fell behind the feed: events older than event_days were not told to it", row.id)
            page = await self._reader.read(None, _wish(row), _EVENTS)
            # from where each try of it finds the same events
            after = Cursor.before(page.events[0]["id"]) if page.events else after
        if not page.events:
            self._cursors[row.id] = page.cursor
            return None
        now_us = _now_us()
        name = f"msg_{chance.token_hex(12)}"
        delivery = Delivery(name, row.id, str(after), str(page.cursor), len(page.events), now_us, now_us)
        if await self._book.cut(delivery, row.cursor):
            return delivery
        self._eager.add(row.id)
        return None

    async def _try(self, row: Any, delivery: Delivery) -> bool:
        answered = await self._call(row, delivery)
        now_us = _now_us()
        if answered.taken:
            await self._book.done(delivery, now_us)
            return True
        attempts = delivery.attempts + 1
        dead_us = now_us if now_us - delivery.made_us >= pace.PATIENCE_US else 0
        due_us = now_us + round(pace.wait_s(attempts, random.random()) * 1e6)
        failing_us = row.failing_us or now_us
        disabled = pace.why_disabled(answered.status, failing_us, now_us)
        failed = delivery._replace(attempts=attempts, dead_us=dead_us, due_us=due_us)
        await self._book.failed(
            failed._replace(http_status=answered.status, error=answered.error), disabled, failing_us
        )
        log.info("callback %s: delivery %s was not taken: %s", row.id, delivery.id, answered.error)
        return False

    async def _call(self, row: Any, delivery: Delivery) -> Answered:
        try:
            page = await self._reader.read(Cursor.parse(delivery.after), _wish(row), delivery.events)
        except Gone:
            return Answered(0, "its events are older than event_days and gone")
        body = document("volley.events", page.events, delivery.made_us)
        keys = secrets(self._settings, OF_CAMPAIGNS if row.campaign_id else row.id)
        return await self._line.post(row.url, body, signed(keys, delivery.id, int(time.time()), body))


def document(kind: str, events: list[Document], made_us: int) -> bytes:
    """The body of a call, by Standard Webhooks: type, timestamp, data."""
    return orjson.dumps({"type": kind, "timestamp": moment(made_us), "data": {"events": events}})


def _wish(row: Any) -> Wish:
    return Wish(mask(wanted(row.types.split(",") if row.types else ())), row.campaign_id or None)


def _now_us() -> int:
    return time.time_ns() // 1000


async def call_back(settings: Settings, engine: AsyncEngine) -> None:
    """For as long as it serves."""
    line = Line(local=settings.callbacks_local)
    try:
        await Messenger(settings, engine, line).run()
    finally:
        await line.close()


async def try_out(settings: Settings, callback_id: str, url: str) -> Answered:
    """One signed call without events."""
    line, name, now_us = Line(local=settings.callbacks_local), f"msg_{chance.token_hex(12)}", _now_us()
    try:
        body = document("volley.test", [], now_us)
        headers = signed(secrets(settings, callback_id), name, now_us // 1_000_000, body)
        return await line.post(url, body, headers)
    finally:
        await line.close()
