"""A question that somebody waits for is ended when it takes too long: it does not go on where nobody sees it."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.web import desk as front
from producer.web.desk import Desk, open_desk
from producer.web.problems import AWAY, problem_of
from tests.flow.ledger.conftest import Feed, Push
from volley.embedded import EmbeddedValkey
from volley.ledger.engine import open_ledger, writing
from volley.ledger.recorder import Recorder
from volley.settings import Settings

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT count(*) FROM n"
FOREVER = text(ENDLESS.format(300_000_000))


async def working(engine: AsyncEngine, before: set[threading.Thread]) -> int:
    """How many questions like these are being worked on: in SQLite, threads that are there for one."""
    if engine.dialect.name == "sqlite":
        return len([each for each in threading.enumerate() if "connection_worker" in each.name and each not in before])
    asking = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'WITH RECURSIVE%'"
    async with engine.connect() as connection:
        return int(await connection.scalar(text(asking)) or 0)


async def until(engine: AsyncEngine, before: set[threading.Thread], many: int) -> None:
    async with asyncio.timeout(15):
        while await working(engine, before) != many:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)


@pytest.fixture
async def hasty(ledger_url: str, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    found = open_ledger(ledger_url, answer_s=1.0)
    yield found
    await found.dispose()


async def ask(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.scalar(FOREVER)


async def test_a_question_that_takes_too_long_is_ended_and_says_when_to_come_again(hasty: AsyncEngine) -> None:
    async with asyncio.timeout(15):
        with pytest.raises(Exception) as failed:  # noqa: PT011 - each driver's own
            await ask(hasty)
        async with hasty.connect() as connection:
            assert await connection.scalar(text("SELECT 7")) == 7, "its connection is free again"
    problem = problem_of(failed.value)
    assert problem is not None
    assert (problem.kind, problem.headers) == (AWAY, {"Retry-After": "15"})
    assert "too long" in problem.detail


async def test_what_is_asked_after_a_short_question_has_all_of_its_time(hasty: AsyncEngine) -> None:
    async with hasty.connect() as connection:
        await connection.scalar(text("SELECT 7"))
        await asyncio.sleep(1.2)
        assert await connection.scalar(text(ENDLESS.format(100_000))) == 100_000


@pytest.mark.parametrize("answer_s", [60, math.inf])
async def test_a_question_that_nobody_waits_for_any_more_is_ended(
    ledger_url: str, engine: AsyncEngine, answer_s: float
) -> None:
    """Also long before its time is over: who looks at campaigns goes on after two seconds without it, and who has stopped a long
    audit has its prompt again."""
    patient, before = open_ledger(ledger_url, answer_s=answer_s), set(threading.enumerate())
    try:
        asking = asyncio.create_task(ask(patient))
        await until(engine, before, 1)
        await asyncio.sleep(0.1)
        asking.cancel()
        done, _ = await asyncio.wait({asking}, timeout=15)
        assert done, "it waits for the answer"
        await until(engine, before, 0)
    finally:
        await patient.dispose()


@pytest.fixture
async def desk(
    tmp_path: Path, valkey: EmbeddedValkey, db: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    """Of an SQLite ledger with one campaign, and impatient."""
    monkeypatch.setattr(front, "ANSWER_S", 0.3)
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    settings = Settings(redis_url=valkey.url, ledger_url=url, home=tmp_path)
    async with open_desk(settings) as found:
        yield found


async def test_lookers_are_bounded_and_exports_are_not(desk: Desk, push: Push) -> None:
    feed = Feed(desk.outbox, desk.outbox.redis)
    await feed.sealed(push)
    await feed.attempts(push.attempt(0))
    await Recorder(desk.outbox, desk.engine, name="tests").catch_up()
    async with writing(desk.engine) as connection:  # any question about a campaign takes a second or more
        await connection.exec_driver_sql("ALTER TABLE campaigns RENAME TO kept")
        slow = ENDLESS.format(6_000_000)
        await connection.exec_driver_sql(f"CREATE VIEW campaigns AS SELECT * FROM kept WHERE ({slow}) > 0")
    began = time.monotonic()
    with pytest.raises(Exception, match="interrupted"):
        await desk.reader.campaign(push.campaign.id)
    asked_s = time.monotonic() - began
    lines = [line async for line in desk.exporting.export(push.campaign.id)]
    assert len(lines) == push.campaign.accepted
    assert time.monotonic() - began > asked_s
