"""What is asked often is found by an index: with a hundred million messages in the ledger no look reads them all."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.flow.ledger.conftest import Feed, Push
from volley.ledger import actions, audit, dead, failed, failing, kept, missing
from volley.ledger.answers import _sent_to
from volley.ledger.bills import Bills
from volley.ledger.cursor import Cursor
from volley.ledger.feed_reader import FeedReader, Wish
from volley.ledger.happenings import mask, wanted
from volley.ledger.likely import Unknown
from volley.ledger.reader import Reader
from volley.ledger.recorder import Recorder
from volley.ledger.stuck import stuck
from volley.message import MessageId
from volley.outbox.outbox import Outbox
from volley.state import State

LARGE = ("messages", "attempts", "receipts", "moves", "chunks", "carrier_ids", "feed")
Statement = tuple[str, Any]
NOW_US = 1_900_000_000_000_000


async def drained(found: AsyncIterator[object]) -> None:
    async for _ in found:
        pass


async def ask(engine: AsyncEngine, outbox: Outbox, push: Push) -> None:
    """All that API, page, facts, metrics, why, callbacks, audit, closing, resolving, withdrawing and keeping ask."""
    name, reader, feed, bills = push.campaign.id, Reader(engine), FeedReader(engine), Bills(engine)
    place = MessageId(name, 0, 0)
    await reader.campaign_report(name)
    await reader.differences(name)
    await reader.status_counts([name, "x"])
    await reader.spent([name, "x"])
    await reader.message_story(str(place))
    await reader.inbound(campaign_id=name)
    await reader.inbound()
    await reader.actions()
    await reader.actions_page(None, None, actions.Place(NOW_US, "x"), 10)
    await reader.actions_page(name, 1, actions.Place(NOW_US, "x"), 10)
    await drained(reader.export(name))
    await feed.read(None, Wish(), 10)
    await feed.read(Cursor(1, 0), Wish(mask(wanted(["message.*"])), name), 10)
    await drained(kept.kept(engine, name, 10))
    await kept.taken(engine, name)
    await dead.dead(engine, name)
    await dead.corpses(engine, name)
    await dead.kept_chunk(engine, name, 0)
    await drained(failed.failed(engine, name, ["40300"]))
    await failed.reasons(engine, name)
    await drained(stuck(engine, 1, NOW_US))
    await bills.count(0, NOW_US)
    await bills.slice(0, NOW_US)
    await bills.by_carrier_id(["a", "b"])
    await bills.unknown([12025550100, 12025550101])
    await bills.doubtful(0, NOW_US, 10)
    await bills.unmistakable(Unknown(str(place), "profile-1", "", "+12025550100", 0, NOW_US))
    await audit._ranks(engine, name, 0, 2)
    await audit._ends(engine, name)
    await audit._lengths(engine, name, [0, 1])
    await missing._ended(engine, [name, "x"])
    await missing.missing(outbox, engine, 30)
    async with engine.connect() as connection:
        await failing.heard(connection, [name, "x"])
        await failing.off_by(connection, [name, "x"])
        await _sent_to(connection, [12025550100, 12025550101])


async def asked(engine: AsyncEngine, work: Callable[[], Awaitable[None]]) -> list[Statement]:
    found = dict[str, Any]()

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if statement.lstrip().startswith("SELECT"):
            found.setdefault(statement, parameters)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        await work()
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    return list(found.items())


async def scans(engine: AsyncEngine, statement: Statement) -> list[str]:
    """How a statement goes through a large table from its beginning to its end; nothing where it does not."""
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement[0]}", statement[1])
            return [row.detail for row in rows if _is_walk(row.detail, statement[0])]
    async with engine.connect() as connection:
        # these tables are small, and reading all of one is cheap: the question is whether another way is there
        for way in ("seqscan", "hashjoin", "mergejoin"):
            await connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        told = (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement[0]}", statement[1])).scalar_one()
        plan = orjson.loads(told) if isinstance(told, str) else told
        return _walks(plan[0]["Plan"])


def _is_walk(detail: str, statement: str) -> bool:
    words = detail.split()
    if words[1] not in LARGE:
        return False
    # by rank alone it reads what all campaigns have at that rank
    aside = "messages_submitted" in words and "(rank" in detail and "campaign_id = " in statement
    return words[0] == "SCAN" or aside


def _walks(node: dict[str, Any]) -> list[str]:
    inner = [each for child in node.get("Plans", ()) for each in _walks(child)]
    if node.get("Relation Name") in LARGE and node["Node Type"].endswith(("Seq Scan", "Index Scan", "Index Only Scan")):
        return inner if "Index Cond" in node else [f"{node['Node Type']} {node['Relation Name']}", *inner]
    return inner


@pytest.fixture
async def filled(feed: Feed, push: Push, recorder: Recorder) -> Push:
    """One of each kind."""
    await feed.sealed(push)
    await feed.attempts(push.attempt(0), push.failed(1), push.failed(2, "unknown"), states="ax?")
    await feed.receipts(push.receipt(0))
    await feed.moves(push, State.DEAD.value, 3, why="reap")
    await recorder.catch_up()
    return push


async def test_what_is_asked_often_reads_no_large_table_whole(
    engine: AsyncEngine, outbox: Outbox, filled: Push
) -> None:
    statements = await asked(engine, lambda: ask(engine, outbox, filled))
    assert len(statements) > 40
    walks = {statement[0]: found for statement in statements if (found := await scans(engine, statement))}
    assert walks == {}


async def test_a_question_that_no_index_answers_is_found_out(engine: AsyncEngine, filled: Push) -> None:
    for condition in ("sender = 'x'", "error_code = 'x'"):
        assert await scans(engine, (f"SELECT count(*) FROM messages WHERE {condition}", ()))
    assert await scans(engine, ("SELECT count(*) FROM attempts WHERE carrier_id = 'x'", ()))
    if engine.dialect.name == "sqlite":
        by_rank = "SELECT count(*) FROM messages INDEXED BY messages_submitted WHERE rank = 60 AND campaign_id = 'x'"
        assert await scans(engine, (by_rank, ()))
    assert not await scans(engine, ("SELECT count(*) FROM messages WHERE campaign_id = 'x'", ()))
