"""`volley message`: what the ledger and Redis know of one message, told together, and nothing claimed beyond it."""

from dataclasses import replace

import pytest

from producer.sight.story import whole_story
from tests.flow.ledger.conftest import SENDERS, T0, Feed, Push
from volley.ledger.reader import Reader
from volley.ledger.recorder import Recorder
from volley.outbox.outbox import Outbox

PERSON = 12025550100


@pytest.fixture
def reader(engine) -> Reader:
    return Reader(engine)


async def pin(outbox: Outbox, sender: int, recipient: int = PERSON) -> None:
    await outbox.redis.hset(outbox.keys.of("profile"), mapping={"profile-1": 1})
    day = (await outbox.redis.time())[0] // 86_400
    held = {recipient.to_bytes(8, "big"): sender * 100_000 + day}
    await outbox.redis.hset(outbox.keys.pin(1, recipient), mapping=held)  # type: ignore[arg-type]  # bytes are names too


async def tell(reader: Reader, outbox: Outbox | None, push: Push, offset: int = 0) -> dict[str, object]:
    return await whole_story(reader, outbox, f"{push.campaign.id}-0-{offset}")


async def test_an_unknown_message_says_why_and_what_resolves_it(
    recorder: Recorder, feed: Feed, reader: Reader, outbox: Outbox, push: Push
) -> None:
    await feed.sealed(push)
    lost = push.failed(0, "perhaps_sent", error_code="", error_text="no answer in 10 s", http_status=0)
    await feed.attempts(lost, states="?")
    await feed.moves(push, "?", 1, why="reap")
    await recorder.catch_up()
    waits = [(await tell(reader, outbox, push, offset))["waits"] for offset in (0, 1)]
    assert [wait["state"] for wait in waits] == ["unknown", "unknown"]  # type: ignore[index]
    assert "attempt 1 may have reached the carrier (no answer in 10 s)" in waits[0]["why"]  # type: ignore[index]
    assert f"by {SENDERS[1]}) did not come back" in waits[1]["why"]  # type: ignore[index]
    for wait in waits:
        assert "a webhook or a record of the carrier's resolves it" in wait["why"]  # type: ignore[index]


async def test_a_message_that_is_over_waits_for_nothing_and_one_that_the_carrier_has_for_its_receipt(
    recorder: Recorder, feed: Feed, reader: Reader, outbox: Outbox, push: Push
) -> None:
    await feed.sealed(push)
    await feed.attempts(push.attempt(0), push.attempt(1))
    await feed.receipts(push.receipt(0))
    await recorder.catch_up()
    assert (await tell(reader, outbox, push))["waits"] is None
    assert (await tell(reader, outbox, push, 1))["waits"]["state"] == "submitted"  # type: ignore[index]


@pytest.mark.parametrize(
    ("pinned", "why"),
    [
        (1, "pinned to this person, by this message or an earlier one"),
        (2, f"pinned to this person then, or the pool's choice; the person is pinned to {SENDERS[2]} since"),
        (None, "pinned to this person then, or the pool's choice: no pin is held any more"),
    ],
)
async def test_a_sender_of_the_pool_is_explained_by_the_persons_pin(
    recorder: Recorder, feed: Feed, reader: Reader, outbox: Outbox, push: Push, pinned: int | None, why: str
) -> None:
    await feed.sealed(push)
    await feed.attempts(push.attempt(0))
    await recorder.catch_up()
    if pinned:
        await pin(outbox, pinned)
    story = await tell(reader, outbox, push)
    assert story["sender_why"] == why
    assert [event["sender_why"] for event in story["history"] if event["event"] == "attempt"] == [why]  # type: ignore[attr-defined]


async def test_a_named_sender_is_the_campaigns_choice_whatever_the_pin_says(
    recorder: Recorder, feed: Feed, reader: Reader, outbox: Outbox, push: Push
) -> None:
    push.campaign = replace(push.campaign, sender=SENDERS[1])
    await feed.sealed(push)
    await feed.attempts(push.attempt(0, at=1))
    await recorder.catch_up()
    await pin(outbox, 2)
    assert (await tell(reader, outbox, push))["sender_why"] == "named by the campaign"


async def test_without_redis_the_ledgers_story_is_told_and_says_what_is_missing(
    recorder: Recorder, feed: Feed, reader: Reader, push: Push
) -> None:
    await feed.sealed(push)
    await feed.attempts(push.attempt(1))
    await recorder.catch_up()
    ready, taken = [await tell(reader, None, push, offset) for offset in (0, 1)]
    assert "Redis, which knows, cannot be asked" in ready["waits"]["why"]  # type: ignore[index]
    assert ready["sender_why"] is None
    assert "cannot be asked" in str(taken["sender_why"])
    assert ready["history"][0]["at_us"] == T0  # type: ignore[index]
