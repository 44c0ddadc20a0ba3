"""Messages that were not delivered are counted once each, by the carrier's code, however often and in whatever order receipts come."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.flow.ledger.conftest import Feed, Push
from volley.ledger.recorder import Recorder
from volley.outbox import outcomes
from volley.outbox.outbox import Outbox


async def counted(outbox: Outbox) -> dict[tuple[str, str], int]:
    return outcomes.read(await outbox.redis.hgetall(outbox.keys.of("outcomes")))


async def test_a_receipt_that_comes_again_counts_its_message_once(
    recorder: Recorder, feed: Feed, push: Push, outbox: Outbox
) -> None:
    await feed.sealed(push)
    await feed.attempts(*[push.attempt(i) for i in range(6)])
    failed = push.receipt(0, status="delivery_failed", error_code="40008")
    await feed.receipts(failed, push.receipt(1, status="delivery_failed", error_code="40008"), push.receipt(2))
    await feed.receipts(failed, push.receipt(0, at=3, status="sent"))
    await recorder.catch_up()
    await feed.receipts(failed, failed._replace(event_id="told anew"), push.receipt(3, status="delivery_unconfirmed"))
    await recorder.catch_up()
    assert await counted(outbox) == {("undelivered", "40008"): 2}


async def test_codes_that_no_table_has_are_one_so_that_their_number_is_bounded(
    recorder: Recorder, feed: Feed, push: Push, outbox: Outbox
) -> None:
    await feed.sealed(push)
    codes = ("40001", "a code of next year", "99999", "")
    await feed.receipts(*[push.receipt(i, status="delivery_failed", error_code=code) for i, code in enumerate(codes)])
    await recorder.catch_up()
    assert await counted(outbox) == {("undelivered", "40001"): 1, ("undelivered", "other"): 3}


async def test_another_recorder_that_writes_the_same_entries_once_more_counts_nothing(
    recorder: Recorder, feed: Feed, push: Push, outbox: Outbox, engine: AsyncEngine
) -> None:
    await feed.sealed(push)
    entry = (push.receipt(0, status="delivery_failed", error_code="40001"),)
    await feed.receipts(*entry)
    await recorder.catch_up()
    await feed.receipts(*entry)
    await Recorder(outbox, engine, name="another").catch_up()
    assert await counted(outbox) == {("undelivered", "40001"): 1}
