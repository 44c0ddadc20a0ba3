"""Who is called back, and what is on its way to them: rows of the ledger. Each change is one transaction."""

import secrets
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.errors import UnusableInput
from volley.ledger.actions import note
from volley.ledger.callbacks import callback_row
from volley.ledger.documents import Document, moment
from volley.ledger.engine import writing
from volley.ledger.feed_reader import FeedReader
from volley.ledger.feed_schema import callbacks, deliveries, feed
from volley.ledger.happenings import wanted
from volley.ledger.paging import pages

MOST = 100
"""Callbacks of an account, beside those of campaigns."""
_DAY_US = 86_400_000_000
_DEAD_DAYS = 30


class Delivery(NamedTuple):
    """Events behind one cursor up to another, as one call. Times µs; `dead_us` 0: still tried."""

    id: str
    callback_id: str
    after: str
    until: str
    events: int
    made_us: int
    due_us: int
    attempts: int = 0
    dead_us: int = 0
    http_status: int = 0
    error: str = ""


class Book:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, url: str, types: list[str], who: str) -> str:
        """Events from now on go there; the new callback's id. Raises UnusableInput for unknown types, or too many callbacks."""
        wanted(types)
        callback_id, after = f"cb{secrets.token_hex(8)}", await FeedReader(self._engine).latest()
        row = callback_row(callback_id, "", url, types, after)
        async with writing(self._engine) as connection:
            held = (await connection.execute(select(callbacks.c.id).where(callbacks.c.campaign_id == ""))).all()
            if len(held) >= MOST:
                raise UnusableInput(f"there are {MOST} callbacks already: remove one (volley callbacks list)")
            await connection.execute(insert(callbacks), row)
            await note(connection, who, "callback_add", callback=callback_id, types=types)
        return callback_id

    async def remove(self, callback_id: str, who: str) -> None:
        async with writing(self._engine) as connection:
            found = await connection.execute(delete(callbacks).where(callbacks.c.id == callback_id))
            _check(found.rowcount, callback_id)
            await connection.execute(delete(deliveries).where(deliveries.c.callback_id == callback_id))
            await note(connection, who, "callback_remove", callback=callback_id)

    async def enable(self, callback_id: str, who: str) -> None:
        async with writing(self._engine) as connection:
            on = update(callbacks).where(callbacks.c.id == callback_id).values(disabled="", failing_us=0)
            _check((await connection.execute(on)).rowcount, callback_id)
            await note(connection, who, "callback_enable", callback=callback_id)

    async def redeliver(self, callback_id: str, delivery_id: str | None, who: str) -> int:
        """Tries a dead delivery again, or all of a callback's; how many."""
        now_us = time.time_ns() // 1000
        dead = and_(deliveries.c.callback_id == callback_id, deliveries.c.dead_us > 0)
        if delivery_id is not None:
            dead = and_(dead, deliveries.c.id == delivery_id)
        async with writing(self._engine) as connection:
            # its day begins anew
            again = update(deliveries).where(dead).values(dead_us=0, due_us=now_us, attempts=0, made_us=now_us)
            count = int((await connection.execute(again)).rowcount)
            if count:
                await note(connection, who, "redelivery", callback=callback_id, deliveries=count)
        return count

    async def note(self, who: str, what: str, **detail: object) -> None:
        async with writing(self._engine) as connection:
            await note(connection, who, what, **detail)

    async def one(self, callback_id: str) -> Any:
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(callbacks).where(callbacks.c.id == callback_id))).one_or_none()
        _check(row is not None, callback_id)
        return row

    async def listed(self) -> list[Document]:
        """Those of the account, then those of campaigns."""
        async with self._engine.connect() as connection:
            rows = (
                await connection.execute(select(callbacks).order_by(callbacks.c.campaign_id, callbacks.c.made_us))
            ).all()
            ends: defaultdict[str, list[int]] = defaultdict(list)
            for name, dead_us in await connection.execute(select(deliveries.c.callback_id, deliveries.c.dead_us)):
                ends[name].append(dead_us)
        return [document(row, ends[row.id]) for row in rows]

    async def open_deliveries(self, callback_id: str) -> list[Document]:
        """What waits for another try, and what is dead."""
        query = select(deliveries).where(deliveries.c.callback_id == callback_id).order_by(deliveries.c.made_us)
        async with self._engine.connect() as connection:
            return [delivery_document(Delivery(*row)) for row in await connection.execute(query)]

    async def rows(self, campaigns: Collection[str] | None = None, ids: Collection[str] = ()) -> list[Any]:
        """Those that are on: all of them, or the account's, those of some campaigns, and some by their ids."""
        row = callbacks.c
        query = select(callbacks).where(row.disabled == "")
        if campaigns is not None:
            query = query.where(or_(row.campaign_id.in_({"", *campaigns}), row.id.in_(ids)))
        async with self._engine.connect() as connection:
            return list(await connection.execute(query))

    async def claim(self, ids: Sequence[str], holder: str, now_us: int, until_us: int) -> set[str]:
        """This process calls back for those of them for which no other one does at the moment: which these are."""
        row = callbacks.c
        free = or_(row.holder == holder, row.held_us < now_us)
        async with writing(self._engine) as connection:
            for page in pages(ids):
                mine = update(callbacks).where(row.id.in_(page), free)
                await connection.execute(mine.values(holder=holder, held_us=until_us))
            held = select(row.id).where(row.holder == holder, row.held_us == until_us)
            return set((await connection.execute(held)).scalars())

    async def release(self, holder: str) -> None:
        """This process calls back for none any more: another may at once."""
        async with writing(self._engine) as connection:
            await connection.execute(update(callbacks).where(callbacks.c.holder == holder).values(held_us=0))

    async def waiting(self, callback_id: str) -> list[Delivery]:
        """Not dead, the oldest first."""
        return await self._deliveries(
            select(deliveries).where(deliveries.c.callback_id == callback_id, deliveries.c.dead_us == 0)
        )

    async def due(self, now_us: int) -> set[str]:
        """Callbacks for which it is time to try again."""
        query = select(deliveries.c.callback_id).distinct()
        async with self._engine.connect() as connection:
            late = query.where(deliveries.c.dead_us == 0, deliveries.c.due_us <= now_us)
            return set((await connection.execute(late)).scalars())

    async def told_of(self, behind: int) -> tuple[set[str], int]:
        """Campaigns of which the feed tells behind a position, and how far it has come."""
        query = select(feed.c.campaign_id, func.max(feed.c.position)).where(feed.c.position > behind)
        async with self._engine.connect() as connection:
            found = (await connection.execute(query.group_by(feed.c.campaign_id))).all()
        return {name for name, _ in found}, max((position for _, position in found), default=behind)

    async def _deliveries(self, query: Select[Any]) -> list[Delivery]:
        async with self._engine.connect() as connection:
            return [Delivery(*row) for row in await connection.execute(query.order_by(deliveries.c.made_us))]

    async def cut(self, delivery: Delivery, cursor: str) -> bool:
        """From now on these events are this delivery, whatever happens. False where the callback stands at `cursor` no more: somebody
        else has cut them, or it was removed."""
        mine = (callbacks.c.id == delivery.callback_id, callbacks.c.cursor == cursor)
        async with writing(self._engine) as connection:
            moved = await connection.execute(update(callbacks).where(*mine).values(cursor=delivery.until))
            if moved.rowcount:
                await connection.execute(insert(deliveries), delivery._asdict())
        return bool(moved.rowcount)

    async def done(self, delivery: Delivery, now_us: int) -> None:
        """It is over, and the receiver is there: what waits for it need wait no longer."""
        async with writing(self._engine) as connection:
            await connection.execute(delete(deliveries).where(deliveries.c.id == delivery.id))
            count = callbacks.c.delivered + delivery.events
            mine = update(callbacks).where(callbacks.c.id == delivery.callback_id)
            await connection.execute(mine.values(delivered=count, delivered_us=now_us, failing_us=0))
            others = update(deliveries).where(
                deliveries.c.callback_id == delivery.callback_id, deliveries.c.dead_us == 0
            )
            await connection.execute(others.values(due_us=now_us))

    async def failed(self, delivery: Delivery, disabled: str, failing_us: int) -> None:
        async with writing(self._engine) as connection:
            row = delivery._asdict()
            await connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(row))
            mine = update(callbacks).where(callbacks.c.id == delivery.callback_id)
            await connection.execute(mine.values(disabled=disabled, failing_us=failing_us))

    async def clear(self, now_us: int, event_days: int) -> None:
        """Callbacks of campaigns of which the feed tells nothing any more; what has been dead for a month."""
        told = exists().where(feed.c.campaign_id == callbacks.c.campaign_id)
        old = and_(callbacks.c.campaign_id != "", callbacks.c.made_us < now_us - event_days * _DAY_US)
        async with writing(self._engine) as connection:
            long_dead = and_(deliveries.c.dead_us > 0, deliveries.c.dead_us < now_us - _DEAD_DAYS * _DAY_US)
            await connection.execute(delete(deliveries).where(long_dead))
            busy = exists().where(deliveries.c.callback_id == callbacks.c.id)
            await connection.execute(delete(callbacks).where(old, ~told, ~busy))


def _check(found: object, callback_id: str) -> None:
    if not found:
        raise UnusableInput(f"no callback {callback_id[:40]!r}: see volley callbacks list")


def document(row: Any, ends: list[int]) -> Document:
    """`ends`: of each of its open deliveries, when it was given up (0: not)."""
    return {
        "callback_id": row.id,
        "campaign_id": row.campaign_id or None,
        "url": row.url,
        "types": row.types.split(",") if row.types else ["*"],
        "made": moment(row.made_us),
        "disabled": row.disabled or None,
        "delivered": row.delivered,
        "last_delivered": moment(row.delivered_us) if row.delivered_us else None,
        "failing_since": moment(row.failing_us) if row.failing_us else None,
        "waiting": sum(1 for each in ends if not each),
        "dead": sum(1 for each in ends if each),
    }


def delivery_document(delivery: Delivery) -> Document:
    return {
        "delivery_id": delivery.id,
        "state": "dead" if delivery.dead_us else "waiting",
        "events": delivery.events,
        "made": moment(delivery.made_us),
        "next": None if delivery.dead_us else moment(delivery.due_us),
        "attempts": delivery.attempts,
        "http_status": delivery.http_status or None,
        "error": delivery.error or None,
    }
