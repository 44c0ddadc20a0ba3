"""From the stream into SQL: nothing twice, nothing lost, nothing acknowledged that is not committed."""

import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest
import redis.asyncio
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.embedded import EmbeddedValkey
from volley.errors import VolleyError
from volley.ledger import schema
from volley.ledger.apply import apply
from volley.ledger.engine import writing
from volley.ledger.facts import Facts, NewerEntry
from volley.ledger.merge import Upserts
from volley.ledger.recorder import Recorder
from volley.ledger.stream import GROUP, LedgerStream
from volley.outbox.connect import client
from volley.outbox.events import AttemptRecord
from volley.outbox.outbox import Outbox


async def rows(engine: AsyncEngine, table: Table) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        return [row._asdict() for row in await connection.execute(select(table).order_by(*table.primary_key))]


async def count(engine: AsyncEngine, table: Table) -> int:
    async with engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(table)) or 0


async def until(true: Any) -> None:
    for _ in range(1000):
        if await true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to that")


async def test_a_message_is_one_row_with_all_that_is_known_of_it(recorder, feed, engine, push):
    await feed.sealed(push)
    await feed.attempts(push.failed(0, "throttled", error_code="40333"), states=".")
    await feed.attempts(push.attempt(0, 2, at=3))
    await feed.receipts(push.receipt(0, 7, "sent", cost_micros=-1), push.receipt(0))
    assert await recorder.catch_up() == 4
    [row] = await rows(engine, schema.messages)
    assert row == {
        **{"campaign_id": push.campaign.id, "chunk": 0, "offset": 0},
        "rank": 52,
        "status": "delivered",
        "status_us": push.receipt(0).occurred_us,
        "error_code": "",
        "error_text": None,
        "attempts": 2,
        "taken_us": push.attempt(0, 2, at=3).taken_us,
        "recipient": 12025550100,
        "country": "US",
        "reference": "ref-0",
        "encoding": "GSM-7",
        "parts": 1,
        "estimated_micros": 4000,
        "sender_attempt": 2,
        "sender": "+12025559001",
        "carrier_id": push.attempt(0).carrier_id,
        "parts_us": push.receipt(0).occurred_us,
        "carrier_parts": 1,
        "carrier_encoding": "GSM-7",
        "cost_rank": 3,
        "cost_us": push.receipt(0).occurred_us,
        "cost_micros": 4200,
        "rate_micros": 3200,
        "fee_micros": 1000,
        "currency": "USD",
        "sent_us": push.attempt(0, 2, at=3).sent_us,
        "submitted_us": push.attempt(0, 2, at=3).answered_us,
        "completed_us": push.receipt(0).occurred_us,
    }
    assert (await count(engine, schema.attempts), await count(engine, schema.receipts)) == (2, 2)


async def test_what_is_recorded_leaves_the_stream(recorder, feed, db, push):
    await feed.sealed(push)
    await feed.attempts(*[push.attempt(i) for i in range(6)])
    await recorder.catch_up()
    assert await feed.length() == 0
    assert (await db.xpending(feed.outbox.keys.ledger, GROUP))["pending"] == 0


async def test_a_crash_between_commit_and_acknowledgement_doubles_nothing(recorder, outbox, feed, engine, push):
    await feed.sealed(push)
    await feed.attempts(*[push.attempt(i) for i in range(6)])
    await feed.moves(push, "?", 0, why="reap")
    await feed.receipts(*[push.receipt(i) for i in range(6)])
    before_the_crash = LedgerStream(outbox.redis, outbox.keys.ledger, "tests")
    await before_the_crash.ensure()
    facts = Facts()
    for entry in await before_the_crash.fresh(10, 0):
        facts.add(entry, {1: "+12025559001"}.get)
    async with writing(engine) as connection:
        await apply(connection, Upserts(engine.dialect.name), facts)
    tables = [schema.messages, schema.attempts, schema.receipts, schema.moves, schema.campaigns, schema.carrier_ids]
    committed = [await rows(engine, table) for table in tables]
    assert all(committed)
    assert await recorder.catch_up() == 4
    assert [await rows(engine, table) for table in tables] == committed
    assert await count(engine, schema.chunks) == 2
    assert await feed.length() == 0


async def test_nothing_is_acknowledged_while_the_database_is_locked(recorder, feed, engine, push, caplog):
    caplog.set_level(logging.WARNING)
    await feed.attempts(push.attempt(0))
    async with asyncio.TaskGroup() as group:
        async with writing(engine):
            group.create_task(recorder.run())
            await until(lambda: _said(caplog, _LOCKED[engine.dialect.name]))
            assert await feed.length() == 1
        await until(lambda: _empty(feed))
        recorder.stop()
    assert await count(engine, schema.messages) == 1


_LOCKED = {"sqlite": "database is locked", "postgresql": "lock timeout"}


async def _said(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.text


async def _empty(feed: Any) -> bool:
    return await feed.length() == 0


async def test_a_recorder_asked_to_stop_leaves_at_once_even_if_the_database_is_locked(
    recorder, feed, engine, push, caplog
):
    await feed.attempts(push.attempt(0))
    async with writing(engine), asyncio.TaskGroup() as group:
        group.create_task(recorder.run())
        await until(lambda: _said(caplog, _LOCKED[engine.dialect.name]))
        recorder.stop()
    assert await feed.length() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"v": "1", "k": "attempts", "p": b"\xc1\x00not msgpack", "m": "a"},
        {"v": "1", "k": "attempts", "p": msgpack.packb([["too", "short"]]), "m": "a"},
        {"v": "1", "k": "gossip", "p": b""},
        {"v": "1", "k": "moves", "p": b"not a multiple", "w": "reap", "t": "1"},
        {"v": "one", "k": "attempts"},
        {"k": "attempts"},
    ],
)
async def test_a_poisoned_entry_is_set_aside_with_its_bytes_and_the_rest_goes_on(recorder, feed, engine, push, fields):
    await feed.attempts(push.attempt(0))
    bad = await feed.raw(fields)
    await feed.attempts(push.attempt(1))
    assert await recorder.catch_up() == 3
    [kept] = await rows(engine, schema.quarantine)
    assert kept["entry_id"] == bad
    raw = {name: value.encode() if isinstance(value, str) else value for name, value in fields.items()}
    assert {name.decode(): value for name, value in msgpack.unpackb(kept["fields"]).items()} == {
        name.decode() if isinstance(name, bytes) else name: value for name, value in raw.items()
    }
    assert recorder.counts.quarantined == 1
    assert await count(engine, schema.messages) == 2


async def test_an_entry_that_only_the_database_refuses_does_not_take_its_batch_with_it(recorder, feed, engine, push):
    for i in range(6):
        await feed.attempts(push.attempt(i) if i != 3 else push.attempt(i, cost_micros=2**63))
    await recorder.catch_up()
    assert sorted(row["chunk"] * 3 + row["offset"] for row in await rows(engine, schema.messages)) == [0, 1, 2, 4, 5]
    assert await count(engine, schema.quarantine) == 1
    assert await count(engine, schema.attempts) == 5


async def test_an_entry_of_a_newer_version_stops_the_recorder_and_stays(recorder, feed, engine, push):
    await feed.attempts(push.attempt(0))
    newer = await feed.raw({"v": "2", "k": "attempts", "p": b"whatever"})
    await feed.attempts(push.attempt(1))
    with pytest.raises(NewerEntry, match=f"{newer} is of version 2.*update Volley"):
        await recorder.run()
    assert await count(engine, schema.messages) == 1
    assert await count(engine, schema.quarantine) == 0
    assert await feed.length() == 2


async def test_a_chunk_of_a_newer_version_stops_the_recorder_and_spoils_no_entry(recorder, feed, db, engine, push):
    await feed.sealed(push)
    await db.set(feed.outbox.keys.chunk(push.campaign.id, 0), b"\x63 of another release")
    await feed.moves(push, "?", 0, why="reap")
    with pytest.raises(VolleyError, match="update Volley"):
        await recorder.run()
    assert (await feed.length(), await count(engine, schema.quarantine)) == (2, 0)


async def test_sealed_chunks_are_in_the_ledger_before_redis_may_drop_them(recorder, feed, db, engine, push):
    await feed.sealed(push)
    last = await feed.attempts(*[push.attempt(i) for i in range(6)])
    # what settle and seal leave behind for a chunk that is over
    await db.hset(feed.outbox.keys.of("final", push.campaign.id), mapping={"0": last, "1": "9999999999999-0"})
    await recorder.catch_up()
    assert await db.exists(feed.outbox.keys.chunk(push.campaign.id, 0)) == 0
    assert await db.exists(feed.outbox.keys.chunk(push.campaign.id, 1)) == 1
    assert [row["chunk"] for row in await rows(engine, schema.chunks)] == [0, 1]


async def test_a_chunk_is_not_dropped_while_another_recorder_holds_an_earlier_entry(recorder, outbox, feed, db, push):
    other = LedgerStream(outbox.redis, outbox.keys.ledger, "other")
    await other.ensure()
    await feed.sealed(push)
    assert len(await other.fresh(10, 0)) == 1
    last = await feed.attempts(*[push.attempt(i) for i in range(6)])
    await db.hset(outbox.keys.of("final", push.campaign.id), mapping={"0": last})
    await recorder.catch_up()
    assert await db.exists(outbox.keys.chunk(push.campaign.id, 0)) == 1


async def test_a_replayed_seal_misses_no_chunk_that_the_ledger_has(recorder, feed, db, engine, push):
    await feed.sealed(push)
    await recorder.catch_up()
    await db.delete(*[feed.outbox.keys.chunk(push.campaign.id, k) for k in (0, 1)])
    await feed.raw({"v": "1", "k": "sealed", "c": push.campaign.to_json()})
    await recorder.catch_up()
    assert (recorder.counts.missing_chunks, await count(engine, schema.chunks)) == (0, 2)


async def test_a_chunk_that_is_nowhere_is_counted_and_the_campaign_recorded(recorder, feed, db, engine, push, caplog):
    await feed.sealed(push)
    await db.delete(feed.outbox.keys.chunk(push.campaign.id, 1))
    await recorder.catch_up()
    assert recorder.counts.missing_chunks == 1
    assert f"chunk 1 of campaign {push.campaign.id}" in caplog.text
    assert (await count(engine, schema.campaigns), await count(engine, schema.chunks)) == (1, 1)


async def test_a_large_campaign_is_copied_whole(recorder, feed, engine, another):
    push = another(n=450, size=2)
    await feed.sealed(push)
    await recorder.catch_up()
    assert await count(engine, schema.chunks) == 225


async def test_what_a_dead_recorder_left_is_taken_over(recorder, outbox, feed, db, engine, push):
    entry = await feed.attempts(push.attempt(0))
    dead = LedgerStream(outbox.redis, outbox.keys.ledger, "dead")
    await dead.ensure()
    await dead.fresh(10, 0)
    await recorder.catch_up()
    assert await count(engine, schema.messages) == 0
    await db.xclaim(outbox.keys.ledger, GROUP, "dead", 0, [entry], idle=120_000)
    async with asyncio.TaskGroup() as group:
        group.create_task(recorder.run())
        await until(lambda: _empty(feed))
        recorder.stop()
    assert await count(engine, schema.messages) == 1


async def test_two_recorders_at_once_record_each_message_once(outbox, feed, engine, another):
    push = another(n=600, size=50)
    await feed.sealed(push)
    for start in range(0, 600, 10):
        await feed.attempts(*[push.attempt(i) for i in range(start, start + 10)])
        await feed.receipts(*[push.receipt(i) for i in range(start, start + 10)])
    both = [Recorder(outbox, engine, name=name) for name in ("one", "two")]
    async with asyncio.TaskGroup() as group:
        for each in both:
            group.create_task(each.run())
        await until(lambda: _empty(feed))
        for each in both:
            each.stop()
    assert await count(engine, schema.quarantine) == 0
    assert [await count(engine, table) for table in (schema.messages, schema.attempts, schema.receipts)] == [600] * 3
    assert {row["status"] for row in await rows(engine, schema.messages)} == {"delivered"}


async def test_the_recorder_goes_on_when_redis_comes_back(tmp_path: Path, engine, push):
    server = EmbeddedValkey(tmp_path / "valkey")
    await server.start()
    outbox = Outbox(client(server.url), "test")
    recorder = Recorder(outbox, engine, name="tests")
    async with asyncio.TaskGroup() as group:
        group.create_task(recorder.run())
        await server.stop()
        await server.start()
        feeder = redis.asyncio.Redis.from_url(server.url)
        fields = {"v": "1", "k": "attempts", "p": msgpack.packb([push.attempt(0)]), "m": "a"}
        await feeder.xadd(outbox.keys.ledger, fields)
        await until(lambda: _recorded(engine))
        recorder.stop()
    await feeder.aclose()
    await outbox.redis.aclose()
    await server.stop()


async def _recorded(engine: AsyncEngine) -> bool:
    return await count(engine, schema.messages) == 1


_CHILD = """
import asyncio, sys
from volley.ledger.engine import open_ledger
from volley.ledger.recorder import Recorder
from volley.outbox.connect import client
from volley.outbox.outbox import Outbox

asyncio.run(Recorder(Outbox(client(sys.argv[1]), "test"), open_ledger(sys.argv[2]), name="tests").run())
"""


async def test_recorders_killed_at_any_moment_lose_nothing_and_double_nothing(
    valkey, recorder, feed, engine, another, ledger_url
):
    push = another(n=6000, size=500)
    await feed.sealed(push)
    for start in range(0, 6000, 20):
        await feed.attempts(*[push.attempt(i) for i in range(start, start + 20)])
        await feed.receipts(*[push.receipt(i) for i in range(start, start + 20)])
    for left in (500, 300, 100):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, valkey.url, ledger_url])
        try:
            await until(lambda left=left: _fewer(feed, left))
        finally:
            child.kill()
            child.wait()
    await recorder.catch_up()
    assert [await count(engine, table) for table in (schema.messages, schema.attempts, schema.receipts)] == [6000] * 3
    assert {row["cost_micros"] for row in await rows(engine, schema.messages)} == {4200}
    assert await feed.length() == 0


async def _fewer(feed: Any, left: int) -> bool:
    return await feed.length() < left


async def test_lag_is_the_age_of_the_oldest_entry_not_recorded(recorder, feed, push):
    assert await recorder.lag_seconds() == 0
    await feed.raw({"v": "1", "k": "gossip"}, entry_id="1000-1")
    assert await recorder.lag_seconds() > 1e9
    await recorder.catch_up()
    assert await recorder.lag_seconds() == 0


async def test_a_cancelled_campaign_of_many_is_recorded_move_by_move(recorder, feed, engine, another):
    push = another(n=12_000, size=500)
    await feed.sealed(push)
    await feed.moves(push, "c", *range(12_000))
    await recorder.catch_up()
    found = await rows(engine, schema.messages)
    assert len(found) == 12_000
    assert {(row["status"], row["country"], row["parts"]) for row in found} == {("cancelled", "US", 1)}
    assert await count(engine, schema.moves) == 24


def test_a_record_holds_what_the_recorder_reads():
    # the recorder spells fields by name: a field more or less here is an entry of a new version
    assert len(AttemptRecord._fields) == 24
