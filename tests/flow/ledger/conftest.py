"""A real stream, a real database of either kind, and what workers, receipts and people would put into the stream."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

import volley.ledger.feed_schema  # noqa: F401 - its tables are of the same metadata
from tests.postgres import Postgres
from volley.campaign import Campaign
from volley.ledger.engine import open_ledger, upgrade, writing
from volley.ledger.recorder import Recorder
from volley.ledger.schema import metadata
from volley.outbox.chunks import Chunk, encode
from volley.outbox.events import MOVE, NOBODY, AttemptRecord, ReceiptRecord, pack
from volley.outbox.outbox import Outbox

T0 = 1_763_800_000_000_000
SENDERS = {1: "+12025559001", 2: "+12025559002"}


class Push:
    """A campaign of `n` people, and the records that tell of them. `at` is seconds since T0."""

    def __init__(self, campaign_id: str = "0123456789abcdef", n: int = 6, size: int = 3, currency: str = "USD") -> None:
        self.sizes = [min(size, n - start) for start in range(0, n, size)]
        self.size = size
        self.campaign = Campaign(
            campaign_id,
            "profile-1",
            "Hi {name}",
            ("name",),
            currency=currency,
            created_us=T0,
            accepted=n,
            chunks=len(self.sizes),
        )

    def chunk(self, index: int) -> Chunk:
        n = self.sizes[index]
        people = range(index * self.size, index * self.size + n)
        return Chunk(
            [12025550100 + i for i in people],
            [f"ref-{i}" for i in people],
            [[f"Ada {i}" for i in people]],
            bytes([1]) * n,
            bytes(n),
            [4000] * n,
        )

    def attempt(self, i: int, attempt: int = 1, at: int = 1, **changes: object) -> AttemptRecord:
        chunk, offset = divmod(i, self.size)
        taken = T0 + at * 1_000_000 + i
        record = AttemptRecord(
            campaign=self.campaign.id,
            chunk=chunk,
            offset=offset,
            attempt=attempt,
            to=12025550100 + i,
            reference=f"ref-{i}",
            sender=SENDERS[1],
            encoding="GSM-7",
            parts=1,
            estimated_micros=4000,
            taken_us=taken,
            sent_us=taken + 100,
            answered_us=taken + 50_000,
            outcome="accepted",
            http_status=200,
            error_code="",
            error_text="",
            carrier_id=f"carrier-{self.campaign.id}-{i}",
            carrier_encoding="GSM-7",
            carrier_parts=1,
            cost_micros=4100,
            rate_micros=3100,
            fee_micros=1000,
            currency=self.campaign.currency,
        )
        return record._replace(**changes)

    def failed(
        self, i: int, outcome: str = "refused", attempt: int = 1, at: int = 1, **changes: object
    ) -> AttemptRecord:
        said = {"carrier_id": "", "carrier_parts": 0, "carrier_encoding": "", "cost_micros": -1, "http_status": 400}
        facts = {"outcome": outcome, "error_code": "40300", "error_text": "Blocked", "currency": self.campaign.currency}
        return self.attempt(i, attempt, at, **(said | facts | changes))

    def receipt(self, i: int, at: int = 9, status: str = "delivered", **changes: object) -> ReceiptRecord:
        chunk, offset = divmod(i, self.size)
        kind = "message.sent" if status == "sent" else "message.finalized"
        record = ReceiptRecord(
            event_id=f"event-{i}-{kind}-{at}",
            event_type=kind,
            occurred_us=T0 + at * 1_000_000,
            received_us=T0 + at * 1_000_000 + 300_000,
            campaign=self.campaign.id,
            chunk=chunk,
            offset=offset,
            carrier_id=f"carrier-{self.campaign.id}-{i}",
            status=status,
            sender=SENDERS[1],
            to=f"+{12025550100 + i}",
            encoding="GSM-7",
            parts=1,
            cost_micros=4200,
            rate_micros=3200,
            fee_micros=1000,
            currency=self.campaign.currency,
            sent_us=-1,
            completed_us=-1,
            error_code="",
            error_text="",
        )
        return record._replace(**changes)


class Feed:
    """Writes entries as the scripts do."""

    def __init__(self, outbox: Outbox, client: redis.asyncio.Redis) -> None:
        self.outbox = outbox
        self.client = client

    async def raw(self, fields: dict[str, bytes | str | int], entry_id: str = "*") -> str:
        added: bytes = await self.client.xadd(self.outbox.keys.ledger, fields, entry_id)
        return added.decode()

    async def chunks(self, push: Push) -> None:
        for index in range(push.campaign.chunks):
            await self.client.set(self.outbox.keys.chunk(push.campaign.id, index), encode(push.chunk(index)))

    async def sealed(self, push: Push) -> str:
        await self.chunks(push)
        return await self.raw({"v": "1", "k": "sealed", "c": push.campaign.to_json()})

    async def attempts(self, *records: AttemptRecord, states: str = "") -> str:
        return await self.raw({"v": "1", "k": "attempts", "p": pack(list(records)), "m": states or "a" * len(records)})

    async def receipts(self, *records: ReceiptRecord) -> str:
        return await self.raw({"v": "1", "k": "receipts", "p": pack(list(records))})

    async def moves(self, push: Push, state: str, *people: int, why: str = "cancel", at: int = 5) -> str:
        index, attempt = (1, 1) if why == "reap" else (NOBODY, 0)
        packed = [
            MOVE.pack(push.campaign.id.encode(), *divmod(i, push.size), state.encode(), index, attempt) for i in people
        ]
        return await self.raw({"v": "1", "k": "moves", "p": b"".join(packed), "w": why, "t": T0 + at * 1_000_000})

    async def campaign(self, push: Push, state: str, at: int = 4) -> str:
        return await self.raw({"v": "1", "k": "campaign", "c": push.campaign.id, "s": state, "t": T0 + at * 1_000_000})

    async def length(self) -> int:
        return await self.outbox.ledger_length()


@pytest.fixture
async def outbox(db: redis.asyncio.Redis) -> Outbox:
    found = Outbox(db, "test")
    await db.hset(found.keys.of("numbers"), mapping=SENDERS)
    return found


@pytest.fixture
def feed(outbox: Outbox, db: redis.asyncio.Redis) -> Feed:
    return Feed(outbox, db)


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """A ledger in PostgreSQL that all tests share, one after the other."""
    postgres.query("CREATE DATABASE books")
    asyncio.run(_made(postgres.url("books")))
    return postgres.url("books")


async def _made(url: str) -> None:
    engine = open_ledger(url)
    await upgrade(engine)
    await engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database in which there is nothing yet."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/fresh.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    server.query("CREATE DATABASE fresh")
    yield server.url("fresh")
    server.query("DROP DATABASE fresh WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def patience_s() -> float:
    """How long a ledger waits for another writer: hardly at all, where no test says otherwise."""
    return 0.1


@pytest.fixture
async def engine(ledger_url: str, patience_s: float) -> AsyncIterator[AsyncEngine]:
    """Empty."""
    found = open_ledger(ledger_url, busy_timeout_s=patience_s)
    await upgrade(found)
    if found.dialect.name == "postgresql":
        async with writing(found) as connection:
            for table in metadata.sorted_tables:
                await connection.execute(delete(table))
    yield found
    await found.dispose()


@pytest.fixture
def recorder(outbox: Outbox, engine: AsyncEngine) -> Recorder:
    return Recorder(outbox, engine, name="tests")


@pytest.fixture
def push() -> Push:
    return Push()


@pytest.fixture
def another() -> Callable[..., Push]:
    return Push
