"""Our ledger beside the carrier's records: what is filled in, what is reported, and that doing it twice changes nothing."""

import gc
import tracemalloc
from datetime import datetime

import pytest

from tests.flow.ledger.conftest import T0, Push
from tests.flow.reconcile.conftest import HOUR, SECOND, Books, Desk, iso
from tests.openapi import validate_answer, validate_request
from volley.errors import UnusableInput


async def sent(desk: Desk, push: Push, *people: int) -> None:
    await desk.feed.sealed(push)
    await desk.feed.attempts(*(push.attempt(i) for i in people))


async def test_records_complete_what_no_webhook_told(desk: Desk, books: Books, push: Push) -> None:
    await sent(desk, push, 0, 1, 2)
    books.add(push, 0)
    books.add(push, 1, status="dlr_timeout", cost="0.0141", carrier_fee="0.0041")
    books.add(push, 2, status="failed", errors=["40008"], parts=1)
    outcome = await desk.reconcile()
    rows = [await desk.row(push, i) for i in range(3)]
    assert [row["status"] for row in rows] == ["delivered", "unconfirmed", "undelivered"]
    assert [row["cost_micros"] for row in rows] == [4200, 14100, 4200]
    assert [row["cost_rank"] for row in rows] == [3, 3, 3]
    assert [row["carrier_encoding"] for row in rows] == ["GSM-7"] * 3
    assert rows[2]["error_code"] == "40008"
    assert (outcome.counts["matched"], outcome.counts["filled"], outcome.differences) == (3, 3, 0)
    total = outcome.sums.as_json()
    assert [(each["ours"], each["theirs"], each["difference"]) for each in total] == [("0.0225", "0.0225", "0.00")]


async def test_a_second_run_changes_nothing_and_agrees(desk: Desk, books: Books, push: Push) -> None:
    await sent(desk, push, 0, 1)
    books.add(push, 0)
    books.add(push, 1, status="gw_reject")
    await desk.reconcile()
    before = await desk.everything()
    again = await desk.reconcile()
    assert await desk.everything() == before
    assert (again.counts["filled"], again.differences) == (0, 0)
    assert await desk.feed.length() == 0


async def test_looking_only_changes_nothing_and_says_what_would_be_filled_in(
    desk: Desk, books: Books, push: Push
) -> None:
    await sent(desk, push, 0)
    books.add(push, 0)
    await desk.recorder.catch_up()
    before = await desk.everything()
    outcome = await desk.reconcile(fix=False)
    assert await desk.everything() == before
    assert (outcome.counts["to_fill"], outcome.counts["filled"]) == (1, 0)
    assert outcome.sums.as_json()[0]["difference"] == "0.0001"


async def test_parts_cost_and_status_that_contradict_a_receipt_are_reported_and_left_alone(
    desk: Desk, books: Books, push: Push
) -> None:
    await sent(desk, push, 0, 1, 2, 3)
    await desk.feed.receipts(*(push.receipt(i) for i in range(4)))
    books.add(push, 0)
    books.add(push, 1, parts=2)
    books.add(push, 2, cost="0.0099")
    books.add(push, 3, status="failed")
    outcome = await desk.reconcile()
    assert [(each["kind"], each["message_id"], each["ours"], each["theirs"]) for each in desk.found] == [
        ("parts", f"{push.campaign.id}-0-1", 1, 2),
        ("cost", f"{push.campaign.id}-0-2", "0.0042 USD", "0.0099 USD"),
        ("status", f"{push.campaign.id}-1-0", "delivered", "failed"),
    ]
    assert (outcome.counts["matched"], outcome.counts["filled"], outcome.differences) == (4, 0, 3)
    assert outcome.sums.as_json()[0]["difference"] == "0.0057"
    assert (await desk.row(push, 2))["cost_micros"] == 4200
    assert (await desk.row(push, 3))["status"] == "delivered"


async def test_a_record_that_has_not_had_its_last_word_contradicts_nothing(
    desk: Desk, books: Books, push: Push
) -> None:
    await sent(desk, push, 0, 1)
    await desk.feed.receipts(push.receipt(0), push.receipt(1, status="delivery_unconfirmed"))
    books.add(push, 0, status="received")
    books.add(push, 1, status="received")
    outcome = await desk.reconcile()
    assert (outcome.counts["matched"], outcome.differences, outcome.counts["filled"]) == (2, 0, 0)


@pytest.mark.parametrize("cost", [None, "dear"])
async def test_a_record_without_a_cost_is_counted_as_the_sums_are_without_it(
    desk: Desk, books: Books, push: Push, cost: str | None
) -> None:
    await sent(desk, push, 0, 1)
    await desk.feed.receipts(push.receipt(0), push.receipt(1))
    books.add(push, 0)
    books.add(push, 1, cost=cost)
    outcome = await desk.reconcile()
    assert (outcome.counts["unpriced"], outcome.differences) == (1, 0)
    assert outcome.sums.as_json()[0]["difference"] == "-0.0042"
    assert (await desk.row(push, 1))["cost_micros"] == 4200


async def test_a_cost_counts_once_whichever_of_record_and_webhook_comes_first(
    desk: Desk, books: Books, push: Push
) -> None:
    await sent(desk, push, 0, 1)
    books.add(push, 0)
    books.add(push, 1)
    await desk.feed.receipts(push.receipt(0))
    await desk.reconcile()
    await desk.feed.receipts(push.receipt(1))
    await desk.recorder.catch_up()
    assert [(await desk.row(push, i))["cost_micros"] for i in (0, 1)] == [4200, 4200]


@pytest.mark.parametrize("record_first", [True, False])
async def test_a_webhook_of_the_same_moment_names_the_error_whichever_comes_first(
    desk: Desk, books: Books, push: Push, record_first: bool
) -> None:
    await sent(desk, push, 0)
    moment_us = T0 + 6 * SECOND
    books.add(push, 0, status="failed", completed_at=iso(moment_us), errors=["40001"], cost="0.0041")
    error = {"error_code": "40001", "error_text": "Not routable", "cost_micros": -1}
    webhook = push.receipt(0, 6, "delivery_failed", occurred_us=moment_us, **error)
    if record_first:
        await desk.reconcile()
    await desk.feed.receipts(webhook)
    await desk.reconcile()
    row = await desk.row(push, 0)
    assert (row["status"], row["error_text"], row["cost_micros"]) == ("undelivered", "Not routable", 4100)


async def test_ours_without_a_record_are_missed_only_after_the_grace(desk: Desk, books: Books, push: Push) -> None:
    await sent(desk, push, 0, 1)
    books.add(push, 0)
    patient = await desk.reconcile(grace_us=48 * HOUR)
    assert (patient.differences, patient.counts["too_early"]) == (0, 1)
    outcome = await desk.reconcile()
    assert [(each["kind"], each["message_id"], each["ours"]) for each in desk.found] == [
        ("missing_at_carrier", f"{push.campaign.id}-0-1", "submitted")
    ]
    assert outcome.sums.as_json()[0]["difference"] == "-0.0041"


async def test_a_record_of_another_time_is_found_by_its_id_and_not_missed(desk: Desk, books: Books, push: Push) -> None:
    await sent(desk, push, 0)
    books.add(push, 0, at=-30 * 3600)
    outcome = await desk.reconcile()
    assert (outcome.differences, outcome.counts["found_elsewhere"]) == (0, 1)


async def test_a_clock_that_is_off_by_seconds_makes_nobody_missing(desk: Desk, books: Books, push: Push) -> None:
    edge = Push("00000000000000ed", n=2)
    await desk.feed.sealed(edge)
    for i, at in enumerate((HOUR // SECOND * 3, HOUR // SECOND * 5)):
        await desk.feed.attempts(edge.attempt(i, at=at))
        books.add(edge, i, at=at - 8)
    outcome = await desk.reconcile()
    assert (outcome.counts["matched"], outcome.differences) == (2, 0)
    assert not any("filter[uuid]" in query for query in books.asked)


async def test_records_that_nobody_here_made_are_reported_with_what_they_cost(
    desk: Desk, books: Books, push: Push
) -> None:
    await sent(desk, push, 0)
    books.add(push, 0)
    books.add(push, 7, uuid="foreign", profile_id="profile-9", cost="1.5")
    books.add(push, 8, uuid="said", direction="inbound", status="received")
    outcome = await desk.reconcile()
    assert [(each["kind"], each["carrier_id"], each["likely_answer"]) for each in desk.found] == [
        ("missing_here", "foreign", None)
    ]
    assert outcome.counts["inbound"] == 1
    assert [(each["profile"], each["ours"], each["theirs"]) for each in outcome.sums.as_json()] == [
        ("profile-1", "0.0042", "0.0042"),
        ("profile-9", "0.00", "1.50"),
    ]


async def test_a_record_that_may_answer_an_unknown_message_names_it_and_resolves_nothing(
    desk: Desk, books: Books, push: Push
) -> None:
    await desk.feed.sealed(push)
    lost = [push.failed(i, "perhaps_sent", error_code="", http_status=0) for i in (0, 1)]
    await desk.feed.attempts(*lost, states="??")
    await desk.feed.moves(push, "?", 2, why="reap", at=20)
    books.add(push, 0, uuid="answer-0")
    books.add(push, 1, at=3600, uuid="much-later")
    books.add(push, 2, at=15, uuid="answer-2")
    outcome = await desk.reconcile()
    named = {each["carrier_id"]: each["likely_answer"] for each in desk.found}
    assert named == {
        "answer-0": f"{push.campaign.id}-0-0",
        "much-later": None,
        "answer-2": f"{push.campaign.id}-0-2",
    }
    assert outcome.counts["likely_answers"] == 2
    assert [(await desk.row(push, i))["status"] for i in range(3)] == ["unknown"] * 3


async def test_an_answer_that_came_too_late_to_count_is_made_good_by_its_record(
    desk: Desk, books: Books, push: Push
) -> None:
    await desk.feed.sealed(push)
    await desk.feed.moves(push, "?", 0, why="reap", at=20)
    await desk.feed.attempts(push.attempt(0), states="-")
    await desk.recorder.catch_up()
    assert (await desk.row(push, 0))["status"] == "unknown"
    books.add(push, 0)
    outcome = await desk.reconcile()
    assert (outcome.counts["filled"], outcome.differences) == (1, 0)
    assert (await desk.row(push, 0))["status"] == "delivered"


async def test_records_newer_than_the_ledger_are_nobodys_yet(desk: Desk, books: Books, push: Push) -> None:
    await sent(desk, push, 0)
    books.add(push, 0)
    books.add(push, 1)
    outcome = await desk.reconcile(behind_us=24 * HOUR)
    assert (outcome.counts["matched"], outcome.counts["not_recorded_yet"], outcome.differences) == (1, 1, 0)


async def test_one_message_under_two_ids_is_reported(desk: Desk, books: Books, push: Push) -> None:
    await desk.feed.sealed(push)
    await desk.feed.attempts(push.attempt(0, carrier_id="first"), push.attempt(0, 2, carrier_id="second"))
    for uuid in ("first", "second"):
        books.add(push, 0, uuid=uuid)
    await desk.reconcile()
    assert ("doubled", "second", "first") in [(each["kind"], each["ours"], each["theirs"]) for each in desk.found]


async def test_a_list_that_changes_while_it_is_read_loses_and_doubles_nothing(
    desk: Desk, books: Books, push: Push
) -> None:
    many = Push("00000000000000ab", n=120, size=60)
    await sent(desk, many, *range(120))
    for i in range(120):
        books.add(many, i)
    late = books.rows.pop(0)

    def appears() -> None:
        if sum(query["page[number]"] == "2" for query in books.asked) == 1 and late not in books.rows:
            books.rows.append(late)

    books.shift = appears
    outcome = await desk.reconcile()
    assert (outcome.counts["matched"], outcome.counts["filled"], outcome.differences) == (120, 120, 0)


async def test_a_profile_alone_is_compared_with_its_own_records(desk: Desk, books: Books, push: Push) -> None:
    await sent(desk, push, 0, 1)
    books.add(push, 0)
    books.add(push, 5, uuid="others", profile_id="profile-9")
    outcome = await desk.reconcile(profile="profile-9")
    assert [each["carrier_id"] for each in desk.found] == ["others"]
    assert outcome.counts["matched"] == 0


async def test_a_carrier_that_passes_over_the_time_of_day_is_not_believed(desk: Desk, books: Books, push: Push) -> None:
    await sent(desk, push, 0)
    books.add(push, 0)
    books.heeds_time = False
    with pytest.raises(UnusableInput, match="do not keep to the period"):
        await desk.reconcile()


async def test_memory_holds_a_slice_and_not_the_day(desk: Desk, books: Books, push: Push) -> None:
    many = Push("00000000000000ab", n=3_000, size=500)
    await desk.feed.sealed(many)
    await desk.feed.attempts(*(many.attempt(i, at=1 + 24 * i) for i in range(3_000)))
    for i in range(3_000):
        books.add(many, i, at=1 + 24 * i)
    await desk.recorder.catch_up()
    held: list[int] = []

    def hold() -> None:
        gc.collect()  # else, when cycles are freed depends on how much else this process holds
        held.append(tracemalloc.get_traced_memory()[0])

    books.shift = hold
    gc.freeze()  # what there is already is looked at no more
    tracemalloc.start()
    try:
        outcome = await desk.reconcile(fix=False, largest=100)
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    assert (outcome.counts["matched"], outcome.differences) == (3_000, 0)
    fifth = len(held) // 5
    assert max(held[-fifth:]) < max(held[fifth : 2 * fifth]) + 300_000


async def test_slices_are_cut_until_they_are_small(desk: Desk, books: Books, push: Push) -> None:
    many = Push("00000000000000ab", n=1_500, size=500)
    await desk.feed.sealed(many)
    await desk.feed.attempts(*(many.attempt(i, at=1 + i // 60) for i in range(1_500)))
    for i in range(1_500):
        books.add(many, i, at=1 + i // 60)
    outcome = await desk.reconcile(fix=False, largest=200)
    assert (outcome.counts["matched"], outcome.differences) == (1_500, 0)
    assert max(int(query["page[number]"]) for query in books.asked) <= 4
    spans = {(query["filter[created_at][gte]"], query["filter[created_at][lt]"]) for query in books.asked}
    assert all(datetime.fromisoformat(since) < datetime.fromisoformat(until) for since, until in spans)


async def test_an_hour_in_which_the_carrier_has_nothing_is_read_in_small_slices_too(
    desk: Desk, books: Books, push: Push
) -> None:
    many = Push("00000000000000ab", n=600, size=500)
    await desk.feed.sealed(many)
    await desk.feed.attempts(*(many.attempt(i, at=1 + i // 10) for i in range(600)))
    outcome = await desk.reconcile(fix=False, largest=100)
    assert outcome.counts["missing_at_carrier"] == 600
    asked = [query for query in books.asked if "filter[uuid]" in query]
    assert len(asked) == 500


async def test_what_is_asked_and_what_it_is_tried_on_are_of_telnyx_api_description(
    desk: Desk, books: Books, push: Push
) -> None:
    await sent(desk, push, 0, 1)
    books.add(push, 0)
    await desk.reconcile(profile="profile-1")
    assert any("filter[uuid]" in query for query in books.asked)
    for question, answer in books.exchanges:
        validate_request("GET", question)
        validate_answer("GET", question, 200, answer)
