"""What a retry reads of the ledger, of either kind: which messages failed, with which errors, and which of them may go once more."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.flow.ledger.conftest import Feed, Push
from volley.ledger.failed import failed, reasons
from volley.ledger.recorder import Recorder


async def test_what_was_refused_or_not_delivered_is_found_by_its_error_and_what_may_have_arrived_is_left_out(
    engine: AsyncEngine, feed: Feed, recorder: Recorder, push: Push
) -> None:
    await feed.sealed(push)
    await feed.attempts(push.failed(0), push.attempt(1), push.failed(2, error_code="40008"), states="xax")
    await feed.attempts(push.attempt(3), push.attempt(4), states="aa")
    await feed.attempts(push.failed(5, "perhaps_sent", error_code=""), states="?")
    await feed.attempts(push.failed(5, attempt=2, at=2), states="x")
    await feed.receipts(push.receipt(3, status="delivery_failed", error_code="40300"), push.receipt(4))
    await recorder.catch_up()
    name = push.campaign.id
    told = {(each.status, each.error_code): each.messages for each in await reasons(engine, name)}
    assert (told["undelivered", "40300"], told["refused", "40008"]) == (1, 1)
    found = [each async for each in failed(engine, name, ["40300"])]
    certain = {(chunk, one.offset): one for chunk, theirs, _ in found for one in theirs}
    assert {place: (one.state, one.attempts) for place, one in certain.items()} == {(0, 0): ("x", 1), (1, 0): ("a", 1)}
    assert certain[1, 0].carrier_ids == {f"carrier-{name}-3"}
    assert sum(uncertain for _, _, uncertain in found) == told["refused", "40300"] - 1
    assert [each async for each in failed(engine, name, ["40310"])] == []
