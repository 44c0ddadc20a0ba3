"""A message that the carrier took and never spoke of again is closed by timeout, in Redis, stream and ledger alike."""

import asyncio
import contextlib
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from producer.bill.closing import close_stuck, keep_closing
from tests.flow.ledger.conftest import T0, Push
from tests.flow.reconcile.conftest import HOUR, Books, Desk
from tests.flow.worker.conftest import eventually
from volley.embedded import free_port
from volley.errors import TryAgainLater
from volley.ledger.schema import receipts
from volley.ledger.stuck import stuck
from volley.outbox.connect import client
from volley.outbox.outbox import Outbox

HOURS = 72.0
DUE = T0 + 73 * HOUR


async def taken(desk: Desk, push: Push, *people: int) -> None:
    await desk.feed.sealed(push)
    await desk.feed.attempts(*(push.attempt(i) for i in people))
    await desk.recorder.catch_up()


async def due(desk: Desk, now_us: int, batch: int = 500) -> list[tuple[int, int]]:
    return [
        (event.chunk, event.offset) async for events in stuck(desk.engine, HOURS, now_us, batch) for event in events
    ]


async def test_it_becomes_unconfirmed_and_says_why(desk: Desk, push: Push) -> None:
    await taken(desk, push, 0, 1)
    await desk.feed.receipts(push.receipt(1))
    await desk.recorder.catch_up()
    assert await close_stuck(desk.outbox, desk.engine, HOURS) == 1
    await desk.recorder.catch_up()
    row = await desk.row(push, 0)
    assert (row["status"], row["error_text"]) == ("unconfirmed", "no receipt in 72 hours")
    assert row["completed_us"] == row["submitted_us"] + 72 * HOUR
    assert (row["cost_micros"], row["carrier_encoding"], row["carrier_parts"]) == (4100, "GSM-7", 1)
    assert (await desk.row(push, 1))["status"] == "delivered"
    assert await close_stuck(desk.outbox, desk.engine, HOURS) == 0


async def test_nothing_is_closed_before_its_time(desk: Desk, push: Push) -> None:
    await taken(desk, push, 0)
    assert await due(desk, T0 + 72 * HOUR) == []
    assert await due(desk, DUE) == [(0, 0)]


async def test_a_scheduled_campaign_counts_from_the_time_at_which_it_goes(desk: Desk, push: Push) -> None:
    push.campaign = replace(push.campaign, send_at_us=T0 + 48 * HOUR)
    await taken(desk, push, 0)
    assert await due(desk, DUE) == []
    assert await due(desk, T0 + 121 * HOUR) == [(0, 0)]


async def test_what_the_carrier_says_later_still_counts(desk: Desk, push: Push) -> None:
    await taken(desk, push, 0, 1, 2)
    await close_stuck(desk.outbox, desk.engine, HOURS)
    late = 100 * 3600
    await desk.feed.receipts(
        push.receipt(0, at=late),
        push.receipt(1, at=late, status="delivery_failed", error_code="40008"),
        push.receipt(2, at=late, status="sent"),
    )
    await desk.recorder.catch_up()
    rows = [await desk.row(push, i) for i in range(3)]
    assert [row["status"] for row in rows] == ["delivered", "undelivered", "unconfirmed"]
    assert [row["error_code"] for row in rows] == ["", "40008", ""]
    assert rows[0]["error_text"] is None


async def test_a_record_that_comes_later_has_the_last_word(desk: Desk, books: Books, push: Push) -> None:
    await taken(desk, push, 0)
    await close_stuck(desk.outbox, desk.engine, HOURS)
    books.add(push, 0)
    assert (await desk.reconcile()).counts["filled"] == 1
    assert (await desk.row(push, 0))["status"] == "delivered"


async def test_batches_go_through_all_of_them_once_also_past_those_that_must_wait(desk: Desk, push: Push) -> None:
    later = Push("0000000000000bbb", n=6)
    later.campaign = replace(later.campaign, send_at_us=DUE)
    await taken(desk, later, *range(6))
    await taken(desk, push, *range(6))
    found = await due(desk, DUE, batch=2)
    assert sorted(found) == [divmod(i, push.size) for i in range(6)]


async def test_closing_twice_before_the_recorder_came_by_is_the_same_as_once(desk: Desk, push: Push) -> None:
    await taken(desk, push, 0)
    for _ in range(2):
        assert await close_stuck(desk.outbox, desk.engine, HOURS) == 1
    await desk.recorder.catch_up()
    async with desk.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(receipts)) == 1
    assert (await desk.row(push, 0))["status_us"] == (await desk.row(push, 0))["submitted_us"] + 72 * HOUR


async def test_a_recorder_that_stands_still_is_not_buried(desk: Desk, push: Push) -> None:
    await taken(desk, push, 0)
    for _ in range(501):
        await desk.feed.receipts(push.receipt(0))
    with pytest.raises(TryAgainLater, match="the ledger is behind"):
        await close_stuck(desk.outbox, desk.engine, HOURS, patience_s=0)
    assert await desk.feed.length() == 501


async def test_serve_closes_again_and_again_and_outlives_what_goes_wrong(desk: Desk, push: Push) -> None:
    await taken(desk, push, 0)
    nobody = Outbox(client(f"redis://127.0.0.1:{free_port()}"), "test")
    closing = [
        asyncio.create_task(keep_closing(outbox, desk.engine, HOURS, first_s=0, every_s=0.01))
        for outbox in (nobody, desk.outbox)
    ]
    try:
        await eventually(desk.waiting)
        await desk.recorder.catch_up()
        assert (await desk.row(push, 0))["status"] == "unconfirmed"
        await desk.feed.attempts(push.attempt(1))
        await desk.recorder.catch_up()
        await eventually(desk.waiting)
        assert not any(task.done() for task in closing)
    finally:
        for task in closing:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*closing)
        await nobody.redis.aclose()
