"""PostgreSQL as the ledger, where it is another machine than ours: restarted, silent, changed, and of an order of its own."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from sqlalchemy import Table, func, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.sight.campaigns import ANSWER_S, recorded
from producer.web.problems import AWAY, problem_of
from tests.flow.ledger.conftest import Feed, Push
from tests.postgres import Postgres
from volley.ledger import schema
from volley.ledger.engine import is_away, open_ledger, writing
from volley.ledger.reader import Reader
from volley.ledger.recorder import Recorder
from volley.outbox.outbox import Outbox

PEOPLE = 600


@pytest.fixture
def ledger_url(postgres_url: str) -> str:
    return postgres_url


async def count(engine: AsyncEngine, table: Table) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def until(true: Callable[[], Any]) -> None:
    for _ in range(2000):
        if await true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


async def fed(feed: Feed, push: Push) -> None:
    await feed.sealed(push)
    for start in range(0, PEOPLE, 20):
        await feed.attempts(*[push.attempt(i) for i in range(start, start + 20)])
        await feed.receipts(*[push.receipt(i) for i in range(start, start + 20)])


async def shorter(feed: Feed, than: int) -> bool:
    return await feed.length() < than


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_database_restarted_while_it_records_loses_nothing_and_doubles_nothing(
    postgres: Postgres,
    outbox: Outbox,
    feed: Feed,
    engine: AsyncEngine,
    another: Callable[..., Push],
    how: signal.Signals,
) -> None:
    await fed(feed, another(n=PEOPLE, size=100))
    recorder = Recorder(outbox, engine, name="tests")
    async with slowly(engine), asyncio.TaskGroup() as group:
        group.create_task(recorder.run())
        await until(lambda: sleeping(engine))
        try:
            await asyncio.to_thread(postgres.stop, how)
            held = await feed.length()
            await asyncio.sleep(0.2)
            assert held == await feed.length() > 0
        finally:
            postgres.start()  # in this thread, with whose end the server would end
        await until(lambda: shorter(feed, 1))
        recorder.stop()
    tables = (schema.messages, schema.attempts, schema.receipts, schema.quarantine)
    assert [await count(engine, table) for table in tables] == [PEOPLE, PEOPLE, PEOPLE, 0]


@asynccontextmanager
async def slowly(engine: AsyncEngine) -> AsyncIterator[None]:
    """Each attempt takes the server a millisecond, so that it is met in the middle of a transaction."""
    body = "BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END"
    async with writing(engine) as connection:
        await connection.exec_driver_sql(f"CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
        await connection.exec_driver_sql(
            "CREATE TRIGGER slowly BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION slowly()"
        )
    yield
    async with writing(engine) as connection:
        await connection.exec_driver_sql("DROP FUNCTION slowly() CASCADE")


async def sleeping(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        return bool(await connection.scalar(text("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")))


@pytest.fixture
async def hasty(postgres_url: str, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Waits for an answer no longer than half a second."""
    found = open_ledger(postgres_url, answer_s=0.5)
    yield found
    await found.dispose()


async def test_a_server_that_says_nothing_counts_as_away(
    postgres: Postgres, hasty: AsyncEngine, feed: Feed, outbox: Outbox, push: Push, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(outbox, hasty, name="tests")
    await recorder.catch_up()
    processes = postgres.processes()
    await feed.attempts(push.attempt(0))
    try:
        for each in processes:
            each.suspend()
        async with asyncio.TaskGroup() as group:
            group.create_task(recorder.run())
            await until(lambda: _said(caplog, "waits, attempt"))
            assert await feed.length() == 1
            for each in processes:
                each.resume()
            await until(lambda: shorter(feed, 1))
            recorder.stop()
    finally:
        for each in processes:
            with_life(each)
    assert await count(hasty, schema.messages) == 1


def with_life(process: psutil.Process) -> None:
    if process.is_running():
        process.resume()


async def _said(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.text


async def test_tables_that_are_not_as_they_should_be_set_nothing_aside(
    recorder: Recorder, feed: Feed, engine: AsyncEngine, push: Push
) -> None:
    await feed.attempts(push.attempt(0))
    async with writing(engine) as connection:
        await connection.exec_driver_sql("ALTER TABLE attempts RENAME COLUMN outcome TO away")
    try:
        with pytest.raises(ProgrammingError, match="outcome"):
            await recorder.catch_up()
    finally:
        async with writing(engine) as connection:
            await connection.exec_driver_sql("ALTER TABLE attempts RENAME COLUMN away TO outcome")
    assert (await count(engine, schema.quarantine), await feed.length()) == (0, 1)
    await recorder.catch_up()
    assert await count(engine, schema.messages) == 1


async def test_tables_may_change_while_it_records(
    recorder: Recorder, feed: Feed, engine: AsyncEngine, another: Callable[..., Push]
) -> None:
    """The driver has prepared its statements for the tables as they were."""
    push = another(n=40, size=20)
    await feed.sealed(push)
    await feed.moves(push, "c", 0)
    await recorder.catch_up()
    for step, kind in enumerate(("text", "varchar(16)")):
        async with writing(engine) as connection:
            await connection.exec_driver_sql(f"ALTER TABLE moves ALTER COLUMN campaign_id TYPE {kind}")
            await connection.exec_driver_sql(f"ALTER TABLE chunks ALTER COLUMN campaign_id TYPE {kind}")
        await feed.moves(push, "c", step + 1)  # alone, as a batch of several would be tried again in halves
        await recorder.catch_up()
    assert (await count(engine, schema.messages), await count(engine, schema.quarantine)) == (3, 0)


async def test_a_server_that_only_reads_is_waited_for(engine: AsyncEngine) -> None:
    """As a standby is, when the address moves too early."""
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        with pytest.raises(DBAPIError, match="read-only transaction") as caught:
            await connection.exec_driver_sql("DELETE FROM quarantine")
    assert is_away(caught.value)
    problem = problem_of(caught.value)
    assert problem is not None
    assert (problem.kind, problem.headers) == (AWAY, {"Retry-After": "2"}), "who asks is told when to come again"


async def test_what_one_report_says_is_of_one_moment(
    engine: AsyncEngine, recorder: Recorder, feed: Feed, push: Push
) -> None:
    await feed.sealed(push)
    await recorder.catch_up()
    async with engine.connect() as connection:
        before = await connection.scalar(select(func.count()).select_from(schema.messages))
        await feed.attempts(push.attempt(0))
        await recorder.catch_up()
        assert await connection.scalar(select(func.count()).select_from(schema.messages)) == before == 0
    assert (await Reader(engine).campaign_report(push.campaign.id))["statuses"]["submitted"] == 1


@pytest.fixture
async def patient(postgres_url: str, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """Waits for other writers as long as a process does."""
    found = open_ledger(postgres_url)
    yield found
    await found.dispose()


async def test_writers_see_what_those_before_them_wrote(patient: AsyncEngine) -> None:
    """They wait for their turn in their first statement: what they read is of later."""
    turn = asyncio.Event()

    async def raise_by_one() -> None:
        async with writing(patient) as connection:
            held = await connection.scalar(select(func.count()).select_from(schema.campaign_events))
            turn.set()
            await asyncio.sleep(0.02)
            row = {"campaign_id": "0123456789abcdef", "at_us": held, "state": "paused"}
            await connection.execute(schema.campaign_events.insert(), row)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(raise_by_one())
    assert await count(patient, schema.campaign_events) == 3


async def test_writers_that_meet_crosswise_wait_for_each_other(patient: AsyncEngine) -> None:
    """One lock for all of them: rows that two change in another order are no deadlock."""
    async with writing(patient) as connection:
        for name in ("a", "b"):
            await connection.execute(
                schema.carrier_ids.insert(), {"carrier_id": name, "campaign_id": "", "chunk": 0, "offset": 0}
            )

    async def touch(*names: str) -> None:
        async with writing(patient) as connection:
            for name in names:
                where = schema.carrier_ids.c.carrier_id == name
                await connection.execute(schema.carrier_ids.update().where(where).values(chunk=1))
                await asyncio.sleep(0.02)

    await asyncio.gather(touch("a", "b"), touch("b", "a"))


async def test_what_only_it_cannot_keep_is_set_aside_alone(
    recorder: Recorder, feed: Feed, engine: AsyncEngine, push: Push
) -> None:
    await feed.attempts(push.attempt(0))
    await feed.attempts(push.attempt(1, error_text="a \0 that an older release let through"))
    await feed.attempts(push.attempt(2, carrier_parts=2**31))
    await feed.attempts(push.attempt(3))
    await recorder.catch_up()
    assert (await count(engine, schema.messages), await count(engine, schema.quarantine)) == (2, 2)
    async with engine.connect() as connection:
        said = [*await connection.scalars(select(schema.quarantine.c.error))]
    assert not any(str(push.attempt(i).to) in words for words in said for i in range(4))


async def test_a_vanished_writer_keeps_the_others_out_for_a_minute_at_most(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"


async def test_its_own_order_of_words_changes_nothing(engine: AsyncEngine) -> None:
    """People sort a before B, bytes B before a: this server is of the first kind, so that all tests here are under it."""
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 'a' < 'B'"))


async def test_who_looks_at_campaigns_does_not_wait_for_a_ledger_that_is_silent(
    engine: AsyncEngine, ledger_url: str
) -> None:
    """Its own patience is ten times as long."""
    patient = open_ledger(ledger_url, busy_timeout_s=10 * ANSWER_S)
    reader = Reader(patient)
    try:
        assert await recorded(reader, ["0123456789abcdef"]) is not None
        async with engine.connect() as connection:
            await connection.execute(text("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE"))
            async with asyncio.timeout(5 * ANSWER_S):
                assert await recorded(reader, ["0123456789abcdef"]) is None
        async with asyncio.timeout(5 * ANSWER_S):
            assert await recorded(reader, ["0123456789abcdef"]) is not None
    finally:
        await patient.dispose()
