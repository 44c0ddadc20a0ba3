"""The recorder beside the requests: its loop may be held, theirs is not; how it ends, and whom that is told."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy import Connection, Engine, event, func, select

from producer.web import recording as module
from producer.web import server
from producer.web.recording import Recording
from producer.web.server import serve
from tests.flow.ledger.conftest import Feed, Push
from tests.postgres import Postgres
from volley.embedded import EmbeddedValkey, free_port
from volley.ledger import schema
from volley.ledger.engine import open_ledger
from volley.ledger.facts import NewerEntry
from volley.outbox.outbox import Outbox
from volley.pulse import ask
from volley.settings import Settings

PATIENCE_S = 20.0


@contextmanager
def held(words: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A statement with these words in it stands still, and the loop that makes it does, until the second event is set. The first
    one: it is there. No test stands still for longer than its patience."""
    there, go_on = threading.Event(), threading.Event()

    def look(*told: object) -> None:
        if words in str(told[2]) and not there.is_set():
            there.set()
            assert go_on.wait(PATIENCE_S), "the other loop stood still with this one"

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield there, go_on
    finally:
        go_on.set()
        event.remove(Engine, "before_cursor_execute", look)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE_S / 0.01)):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def eventually(true: Callable[[], Awaitable[bool]], wanted: bool = True) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await true() != wanted:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.05)


@pytest.fixture
def outbox(db: redis.asyncio.Redis) -> Outbox:
    return Outbox(db, "default")


@pytest.fixture
def settings(valkey: EmbeddedValkey, ledger_url: str, engine: object) -> Settings:
    return Settings(redis_url=valkey.url, ledger_url=ledger_url)


@pytest.fixture
async def recording(settings: Settings) -> AsyncIterator[Recording]:
    found = Recording(settings)
    yield found
    found.stop()


async def recorded(settings: Settings) -> int:
    engine = open_ledger(settings.ledger)
    async with engine.connect() as connection:
        found = await connection.scalar(select(func.count()).select_from(schema.messages))
    await engine.dispose()
    return found or 0


async def all_recorded(feed: Feed) -> bool:
    return not await feed.length()


async def test_a_recorder_that_is_held_holds_no_request(
    recording: Recording, settings: Settings, feed: Feed, push: Push
) -> None:
    await feed.attempts(push.attempt(0))
    with held("INTO attempts") as (there, go_on):
        work = asyncio.create_task(recording.run())
        await until(there.is_set)
        for _ in range(20):
            await asyncio.sleep(0.001)
        go_on.set()
        await until(lambda: recording.counts.entries == 1)
    recording.stop()
    await work
    assert await recorded(settings) == 1


async def test_stopped_in_a_batch_it_ends_behind_it_and_leaves_the_rest(
    recording: Recording, settings: Settings, feed: Feed, push: Push
) -> None:
    await feed.attempts(push.attempt(0))
    with held("INTO attempts") as (there, go_on):
        work = asyncio.create_task(recording.run())
        await until(there.is_set)
        recording.stop()
        await feed.attempts(push.attempt(1))
        go_on.set()
        await work
    assert (await recorded(settings), await feed.length()) == (1, 1)


async def test_stopped_before_it_began_it_ends(recording: Recording) -> None:
    recording.stop()
    async with asyncio.timeout(PATIENCE_S):
        await recording.run()
    recording.stop()


async def test_what_ends_it_is_told(recording: Recording, feed: Feed) -> None:
    await feed.raw({"v": "2", "k": "attempts", "p": b"whatever"})
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(NewerEntry):
            await recording.run()
    assert await feed.length() == 1


async def test_a_loop_of_its_that_stands_still_is_seen(
    recording: Recording, feed: Feed, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TICK_S", 0.05)
    monkeypatch.setattr(module, "_STILL_S", 2.0)
    await feed.attempts(push.attempt(0))
    with held("INTO attempts") as (there, go_on):
        work = asyncio.create_task(recording.run())
        await until(there.is_set)
        await until(lambda: not recording.turns)
        go_on.set()
        await until(lambda: recording.turns)
    recording.stop()
    await work


@asynccontextmanager
async def serving(settings: Settings, home: Path) -> AsyncIterator[asyncio.Task[None]]:
    """`volley serve`, in this process."""
    work = asyncio.create_task(serve(settings.model_copy(update={"home": home, "serve_port": free_port()})))
    try:
        yield work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def alive() -> bool:
    """Whether who watches over this process is answered."""
    beats = await asyncio.to_thread(ask, 1.0, role="serve", pid=os.getpid())
    return any(beat.says for beat in beats)


async def test_what_ends_the_recorder_ends_serve_and_says_why(settings: Settings, feed: Feed, tmp_path: Path) -> None:
    """Nothing would be recorded, and all that comes in would be answered as if it were."""
    await feed.raw({"v": "2", "k": "attempts", "p": b"whatever"})
    async with serving(settings, tmp_path) as work, asyncio.timeout(PATIENCE_S):
        with pytest.raises(NewerEntry):
            await work
    assert await feed.length() == 1


async def test_who_watches_over_serve_is_not_answered_while_its_recorder_stands_still(
    settings: Settings, feed: Feed, push: Push, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TICK_S", 0.05)
    monkeypatch.setattr(module, "_STILL_S", 2.0)
    async with serving(settings, tmp_path) as work:
        await eventually(alive)
        with held("INTO attempts") as (there, go_on):
            await feed.attempts(push.attempt(0))
            await until(there.is_set)
            await eventually(alive, False)
            go_on.set()
            await eventually(alive)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await work
    assert await recorded(settings) == 1


@contextmanager
def silent(database: Postgres) -> Iterator[None]:
    """It takes what it is sent and says nothing, as behind a network that swallows packets."""
    processes = database.processes()
    try:
        for each in processes:
            each.suspend()
        yield
    finally:
        for each in processes:
            each.resume()


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
async def test_a_database_that_says_nothing_keeps_serve_from_ending_for_seconds_only(
    settings: Settings,
    postgres: Postgres,
    outbox: Outbox,
    feed: Feed,
    push: Push,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither its recorder's batch, which may take five minutes, nor idle sessions, each of which may take as long to be closed."""
    monkeypatch.setattr(server, "_BATCH_S", 0.5)

    async def at_work() -> bool:
        [group] = await outbox.redis.xinfo_groups(outbox.keys.ledger)
        return bool(group["pending"])

    async with serving(settings, tmp_path) as work:
        await eventually(alive)
        await feed.attempts(push.attempt(0))
        await eventually(lambda: all_recorded(feed))
        with silent(postgres):
            await feed.attempts(push.attempt(1))
            await eventually(at_work)
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(3 * PATIENCE_S):
                await work
            assert await feed.length() == 1
    await until(lambda: all(each.name != "recorder" for each in threading.enumerate()))
    assert await recorded(settings) == 2, "its thread ends with the process, where that goes on it finishes its batch"


async def test_of_all_connections_to_the_file_the_recorders_alone_keeps_much_of_it(
    valkey: EmbeddedValkey, feed: Feed, push: Push, tmp_path: Path
) -> None:
    """A process may hold dozens: 64 MB in each would be a gigabyte and more."""
    kept: dict[str, set[int]] = {}

    def look(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA cache_size")
        kept.setdefault(threading.current_thread().name, set()).add(-cursor.fetchone()[0] >> 10)
        cursor.close()

    event.listen(Engine, "begin", look)
    try:
        file = Settings(redis_url=valkey.url, ledger_url=f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
        async with serving(file, tmp_path):
            await feed.attempts(push.attempt(0))
            await until(lambda: len(kept) == 2)
    finally:
        event.remove(Engine, "begin", look)
    assert kept == {"recorder": {64}, threading.current_thread().name: {8}}
