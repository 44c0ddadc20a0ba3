"""A real stream, a real SQLite file, and a carrier that serves detail records in the shape of its API description."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.bill.comparison import Difference
from producer.bill.filling import Filling
from producer.bill.reconciliation import LARGEST, Outcome, Period, Reconciliation
from tests.flow.ledger.conftest import SENDERS, T0, Feed, Push
from volley.carrier.api import TelnyxApi
from volley.carrier.records_api import DetailRecords
from volley.ledger.bills import Bills
from volley.ledger.engine import open_ledger, upgrade
from volley.ledger.recorder import Recorder
from volley.ledger.schema import messages
from volley.outbox.outbox import Outbox

SECOND = 1_000_000
HOUR = 3_600 * SECOND


def iso(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / SECOND, UTC).isoformat()


@dataclass
class Books:
    """The carrier's records. `shift` is called before each answer, to change the list while it is read."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    exchanges: deque[tuple[str, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=4))
    shift: Any = None
    heeds_time: bool = True

    def add(self, push: Push, i: int, at: float = 1.2, **changes: object) -> dict[str, Any]:
        """The record of a message as `push.attempt(i)` made it; `at` is seconds since T0."""
        row = {
            "record_type": "message_detail_record",
            "uuid": f"carrier-{push.campaign.id}-{i}",
            "profile_id": push.campaign.profile,
            "direction": "outbound",
            "message_type": "SMS",
            "cli": SENDERS[1],
            "cld": f"+{12025550100 + i}",
            "status": "delivered",
            "errors": [],
            "parts": 1,
            "rate": "0.0032",
            "carrier_fee": "0.001",
            "cost": "0.0042",
            "currency": "USD",
            "created_at": iso(T0 + int(at * SECOND)),
            "sent_at": iso(T0 + int((at + 1) * SECOND)),
            "completed_at": iso(T0 + int((at + 5) * SECOND)),
            "updated_at": iso(T0 + int((at + 5) * SECOND)),
        }
        self.rows.append(row | changes)
        return self.rows[-1]

    async def answer(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        if self.shift:
            self.shift()
        assert query["filter[record_type]"] == "messaging"
        size, number = int(query["page[size]"]), int(query.get("page[number]", "1"))
        assert size <= 50
        found = sorted((row for row in self.rows if self._matches(row, query)), key=lambda row: row["created_at"])
        page = found[(number - 1) * size : number * size]
        meta = {"page_number": number, "page_size": size, "total_pages": -(-len(found) // size)}
        self.exchanges.append((request.path_qs, {"data": page, "meta": meta | {"total_results": len(found)}}))
        return web.json_response(self.exchanges[-1][1])

    def _matches(self, row: dict[str, Any], query: dict[str, str]) -> bool:
        if "filter[uuid]" in query:
            return bool(row["uuid"] == query["filter[uuid]"])
        moment = datetime.fromisoformat(row["created_at"])
        since, until = (datetime.fromisoformat(query[f"filter[created_at][{name}]"]) for name in ("gte", "lt"))
        if query.get("filter[cld]") not in (None, row["cld"]):
            return False
        return query.get("filter[profile_id]") in (None, row["profile_id"]) and (
            since <= moment < until or not self.heeds_time
        )


@dataclass
class Desk:
    """What a reconciliation works with. Its clock stands a day after T0."""

    outbox: Outbox
    engine: AsyncEngine
    recorder: Recorder
    feed: Feed
    books: Books
    url: str
    found: list[Difference] = field(default_factory=list)

    async def reconcile(
        self,
        *,
        fix: bool = True,
        profile: str | None = None,
        grace_us: int = HOUR,
        largest: int = LARGEST,
        behind_us: int = 0,
    ) -> Outcome:
        await self.recorder.catch_up()
        now = T0 + 24 * HOUR
        period = Period(T0 - 2 * HOUR, T0 + 22 * HOUR, now, grace_us, now - behind_us)
        self.found.clear()
        async with TelnyxApi("KEY", self.url) as api:
            work = Reconciliation(
                Bills(self.engine),
                DetailRecords(api, profile),
                period,
                profile=profile,
                fill=Filling(self.outbox).add if fix else None,
                tell=self.found.append,
                largest=largest,
            )
            outcome = await work.run()
        await self.recorder.catch_up()
        return outcome

    async def waiting(self) -> bool:
        """Whether something stands in the stream."""
        return bool(await self.outbox.ledger_length())

    async def row(self, push: Push, i: int) -> dict[str, Any]:
        chunk, offset = divmod(i, push.size)
        place = (messages.c.campaign_id == push.campaign.id, messages.c.chunk == chunk, messages.c.offset == offset)
        async with self.engine.connect() as connection:
            return (await connection.execute(select(messages).where(*place))).one()._asdict()

    async def everything(self) -> list[Any]:
        async with self.engine.connect() as connection:
            return list((await connection.execute(select(messages))).all())


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
async def desk(db: redis.asyncio.Redis, tmp_path: Path, books: Books) -> AsyncIterator[Desk]:
    app = web.Application()
    app.router.add_get("/v2/detail_records", books.answer)
    outbox = Outbox(db, "test")
    await db.hset(outbox.keys.of("numbers"), mapping=SENDERS)
    engine = open_ledger(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    await upgrade(engine)
    async with TestServer(app) as server:
        recorder = Recorder(outbox, engine, name="tests")
        yield Desk(outbox, engine, recorder, Feed(outbox, db), books, str(server.make_url("/v2")))
    await engine.dispose()


@pytest.fixture
def push() -> Push:
    return Push()
