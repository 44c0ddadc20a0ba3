"""Records of the carrier that can only be those of unknown messages resolve them; any doubt, and they resolve nothing."""

import pytest

from producer.bill.filling import Filling
from producer.bill.resolving import AT_ONCE, Resolving
from tests.flow.ledger.conftest import SENDERS, T0, Push
from tests.flow.reconcile.conftest import HOUR, SECOND, Books, Desk
from volley.carrier.api import TelnyxApi
from volley.carrier.records_api import DetailRecords
from volley.ledger.bills import Bills
from volley.outbox.events import AttemptRecord

LATER = T0 + HOUR


async def resolve(desk: Desk, now_us: int = LATER, rounds: int = 1) -> int:
    await desk.recorder.catch_up()
    resolved = 0
    async with TelnyxApi("KEY", desk.url) as api:
        work = Resolving(Bills(desk.engine), DetailRecords(api), Filling(desk.outbox).add)
        for _ in range(rounds):
            resolved += await work.round(now_us)
    await desk.recorder.catch_up()
    return resolved


async def lost(desk: Desk, push: Push, *people: int) -> None:
    """Nobody knows whether these were sent."""
    await desk.feed.sealed(push)
    failed = [push.failed(i, "perhaps_sent", error_text="no answer in 10 s", http_status=0) for i in people]
    await desk.feed.attempts(*failed, states="?" * len(failed))


async def test_the_only_record_that_it_can_be_resolves_a_message(desk: Desk, books: Books, push: Push) -> None:
    await lost(desk, push, 0, 1)
    books.add(push, 0)
    assert await resolve(desk) == 1
    row = await desk.row(push, 0)
    assert (row["status"], row["carrier_id"], row["cost_micros"]) == ("delivered", "carrier-0123456789abcdef-0", 4200)
    assert (await desk.row(push, 1))["status"] == "unknown"
    assert all(query["filter[cld]"].startswith("+1202555010") for query in books.asked)
    assert await resolve(desk) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"cli": SENDERS[2]},
        {"cld": "+12025550109"},
        {"created_at": "2030-01-01T00:00:00+00:00"},
        {"profile_id": "another"},
        {"direction": "inbound"},
    ],
)
async def test_a_record_of_something_else_resolves_nothing(
    desk: Desk, books: Books, push: Push, changes: dict[str, object]
) -> None:
    await lost(desk, push, 0)
    books.add(push, 0, **changes)
    assert await resolve(desk) == 0
    assert (await desk.row(push, 0))["status"] == "unknown"


async def test_two_records_that_it_may_be_resolve_nothing(desk: Desk, books: Books, push: Push) -> None:
    await lost(desk, push, 0)
    books.add(push, 0)
    books.add(push, 0, uuid="another")
    assert await resolve(desk) == 0


async def test_a_record_that_another_message_has_resolves_nothing(desk: Desk, books: Books, push: Push) -> None:
    await lost(desk, push, 0)
    other = Push("fedcba9876543210")
    await desk.feed.sealed(other)
    await desk.feed.attempts(other.attempt(0), states="a")
    books.add(push, 0, uuid=other.attempt(0).carrier_id)
    assert await resolve(desk) == 0
    assert (await desk.row(push, 0))["status"] == "unknown"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"outcome": "perhaps_sent", "carrier_id": ""}, "?"),
        ({"carrier_id": ""}, "a"),
        ({"attempt": 2}, "a"),
    ],
    ids=["unknown too", "accepted without an id", "sent twice"],
)
async def test_a_record_that_another_message_may_have_resolves_nothing(
    desk: Desk, books: Books, push: Push, changes: dict[str, object], state: str
) -> None:
    await lost(desk, push, 0)
    other = Push("fedcba9876543210")
    await desk.feed.sealed(other)
    record: AttemptRecord = other.attempt(0)._replace(**changes)  # type: ignore[arg-type]
    await desk.feed.attempts(record, states=state)
    books.add(push, 0)
    assert await resolve(desk) == 0
    assert (await desk.row(push, 0))["status"] == "unknown"


async def test_another_message_with_its_one_id_is_no_hindrance(desk: Desk, books: Books, push: Push) -> None:
    await lost(desk, push, 0)
    other = Push("fedcba9876543210")
    await desk.feed.sealed(other)
    await desk.feed.attempts(other.attempt(0), states="a")
    books.add(other, 0)
    books.add(push, 0)
    assert await resolve(desk) == 1
    assert (await desk.row(push, 0))["carrier_id"] == books.rows[1]["uuid"]


async def test_what_is_young_is_not_asked_for_and_what_was_asked_for_rests(
    desk: Desk, books: Books, push: Push
) -> None:
    await lost(desk, push, 0)
    assert await resolve(desk, T0 + 100 * SECOND) == 0
    assert books.asked == []
    await resolve(desk, rounds=3)
    assert len(books.asked) == 1


async def test_a_round_asks_only_so_often(desk: Desk, books: Books) -> None:
    many = Push(n=AT_ONCE + 10, size=50)
    await lost(desk, many, *range(AT_ONCE + 10))
    await resolve(desk)
    assert len(books.asked) == AT_ONCE
    await resolve(desk, rounds=2)
    assert len(books.asked) == 2 * AT_ONCE + 10
