"""What people ask the ledger: exports, stories, reports, costs."""

import csv
import io
import os
from decimal import Decimal
from typing import Any

import orjson
import pyarrow.compute
import pyarrow.parquet
import pytest

from volley.errors import UnusableInput
from volley.ledger import export
from volley.ledger.reader import Reader, hot_states
from volley.money import micros

DAY = 86_400


@pytest.fixture
def reader(engine) -> Reader:
    return Reader(engine)


async def lines(reader: Reader, campaign_id: str, hot: Any = None) -> list[dict[str, Any]]:
    return [line async for line in reader.export(campaign_id, hot)]


async def finished(recorder, feed, push) -> None:
    """Six people: delivered, undelivered, unconfirmed, submitted, refused, cancelled."""
    await feed.sealed(push)
    await feed.attempts(*[push.attempt(i) for i in range(4)], push.failed(4), states="aaaax")
    kinds = ["delivered", "delivery_failed", "delivery_unconfirmed"]
    await feed.receipts(*[push.receipt(i, 9, kind) for i, kind in enumerate(kinds)])
    await feed.moves(push, "c", 5)
    await recorder.catch_up()


async def test_an_export_has_a_line_a_message_from_the_moment_of_the_seal(recorder, feed, reader, push):
    await feed.sealed(push)
    await recorder.catch_up()
    found = await lines(reader, push.campaign.id)
    assert [line["message_id"] for line in found] == [f"{push.campaign.id}-{i // 3}-{i % 3}" for i in range(6)]
    assert found[4] == {
        "message_id": f"{push.campaign.id}-1-1",
        "reference": "ref-4",
        "to": "+12025550104",
        "from": None,
        "status": "ready",
        "encoding": "GSM-7",
        "parts": 1,
        "estimated_cost": "0.004",
        "cost": None,
        "currency": "USD",
        "carrier_id": None,
        "attempts": 0,
        "error_code": None,
        "error_text": None,
        "campaign_id": push.campaign.id,
        "profile": "profile-1",
        "country": "US",
        "carrier_encoding": None,
        "carrier_parts": None,
        "rate": None,
        "carrier_fee": None,
        "cost_is_final": False,
        "sent_us": None,
        "submitted_us": None,
        "completed_us": None,
    }


async def test_an_export_tells_each_message_as_it_ended(recorder, feed, reader, push):
    await finished(recorder, feed, push)
    found = await lines(reader, push.campaign.id)
    statuses = ["delivered", "undelivered", "unconfirmed", "submitted", "refused", "cancelled"]
    assert [line["status"] for line in found] == statuses
    assert [line["cost"] for line in found] == ["0.0042", "0.0042", "0.0042", "0.0041", None, None]
    assert [line["cost_is_final"] for line in found] == [True] * 3 + [False] * 3
    assert (found[4]["error_code"], found[4]["from"], found[4]["attempts"]) == ("40300", "+12025559001", 1)
    assert (found[5]["to"], found[5]["attempts"]) == ("+12025550105", 0)


async def test_the_hot_state_shows_through_until_the_ledger_knows_more(recorder, feed, db, reader, outbox, push):
    await finished(recorder, feed, push)
    await db.set(outbox.keys.states(push.campaign.id, 0), b"s?a")
    found = await lines(reader, push.campaign.id, hot_states(outbox))
    assert [line["status"] for line in found[:3]] == ["delivered", "undelivered", "unconfirmed"]
    fresh = type(push)("fedcba9876543210")
    await feed.sealed(fresh)
    await recorder.catch_up()
    await db.set(outbox.keys.states(fresh.campaign.id, 0), b"s?a")
    found = await lines(reader, fresh.campaign.id, hot_states(outbox))
    assert [line["status"] for line in found] == ["sending", "unknown", "submitted", "ready", "ready", "ready"]


async def test_an_export_goes_through_a_campaign_of_many_chunks_in_order(recorder, feed, reader, another):
    push = another(n=50, size=3)
    await feed.sealed(push)
    await feed.attempts(push.attempt(49))
    await recorder.catch_up()
    found = await lines(reader, push.campaign.id)
    assert [line["reference"] for line in found] == [f"ref-{i}" for i in range(50)]
    assert found[49]["status"] == "submitted"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
async def test_all_three_formats_hold_the_same(recorder, feed, reader, push, form, tmp_path):
    await finished(recorder, feed, push)
    expected = await lines(reader, push.campaign.id)
    path = tmp_path / "export"
    with path.open("wb") as out:
        assert await export.write(reader.export(push.campaign.id), form, out) == 6
    assert _read_back(path.read_bytes(), form) == [_plain(line, form) for line in expected]


def _read_back(data: bytes, form: str) -> list[dict[str, Any]]:
    if form == "jsonl":
        return [orjson.loads(line) for line in data.splitlines()]
    if form == "csv":
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    return pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()


def _plain(line: dict[str, Any], form: str) -> dict[str, Any]:
    if form == "csv":
        return {name: "" if value is None else str(value) for name, value in line.items()}
    if form == "parquet":
        money = {name: Decimal(line[name]) for name in ("estimated_cost", "cost", "rate", "carrier_fee") if line[name]}
        return line | money
    return line


async def test_parquet_money_can_be_summed(recorder, feed, reader, push):
    await finished(recorder, feed, push)
    out = io.BytesIO()
    await export.write(reader.export(push.campaign.id), "parquet", out)
    table = pyarrow.parquet.read_table(io.BytesIO(out.getvalue()))
    assert pyarrow.compute.sum(table["cost"]).as_py() == Decimal("0.0167")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
async def test_an_export_may_go_into_a_pipe(recorder, feed, reader, push, form):
    await finished(recorder, feed, push)
    read, write = os.pipe()
    with os.fdopen(write, "wb") as out:
        assert await export.write(reader.export(push.campaign.id), form, out) == 6
    with os.fdopen(read, "rb") as pipe:
        assert len(_read_back(pipe.read(), form)) == 6


async def test_a_message_tells_its_story_in_order_of_time(recorder, feed, reader, push):
    await feed.sealed(push)
    await feed.attempts(push.failed(0, "throttled", at=1, error_code="40333"), push.attempt(1), states=".a")
    await feed.campaign(push, "paused", at=2)
    await feed.campaign(push, "resumed", at=3)
    await feed.moves(push, "?", 0, why="reap", at=6)
    await feed.receipts(push.receipt(0, 8, "sent"), push.receipt(0, 9))
    await feed.attempts(push.attempt(0, 2, at=4), states="-")
    await recorder.catch_up()
    story = await reader.message_story(f"{push.campaign.id}-0-0")
    told = [
        (event["event"], event.get("status") or event.get("state") or event.get("type")) for event in story["history"]
    ]
    assert told == [
        ("sealed", None),
        ("attempt", "ready"),
        ("campaign", "paused"),
        ("campaign", "resumed"),
        ("attempt", "came too late to count"),
        ("move", "unknown"),
        ("receipt", "message.sent"),
        ("receipt", "message.finalized"),
    ]
    assert (story["text"], story["status"], story["attempts"]) == ("Hi Ada 0", "delivered", 2)
    assert story["history"][1]["error_code"] == "40333"


@pytest.mark.parametrize("message_id", ["0123456789abcdef-0-3", "0123456789abcdef-2-0", "fedcba9876543210-0-0", "17"])
async def test_no_story_of_a_message_that_is_not_there(recorder, feed, reader, push, message_id):
    await feed.sealed(push)
    await recorder.catch_up()
    with pytest.raises(UnusableInput):
        await reader.message_story(message_id)


async def test_a_campaign_that_the_ledger_does_not_have_is_said_so(recorder, feed, reader, push):
    await feed.attempts(push.attempt(0))
    await recorder.catch_up()
    with pytest.raises(UnusableInput, match="no campaign '0123456789abcdef' in the ledger"):
        await lines(reader, push.campaign.id)


async def two_campaigns(recorder, feed, another) -> None:
    dollars, euros = another(), another("fedcba9876543210", currency="EUR")
    for push in (dollars, euros):
        await feed.sealed(push)
    other = {"sender": "+12025559002", "carrier_parts": 3, "cost_micros": 12_300}
    await feed.attempts(dollars.attempt(0), dollars.attempt(1, at=2 * DAY, **other), dollars.failed(2), states="aax")
    await feed.attempts(euros.attempt(0, to=493012345678), euros.attempt(1, cost_micros=-1), states="aa")
    await recorder.catch_up()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("campaign", [("0123456789abcdef", 2, 4, "0.0164", "USD"), ("fedcba9876543210", 2, 2, "0.0041", "EUR")]),
        (
            "day",
            [
                ("2025-11-22", 2, 2, "0.0041", "EUR"),
                ("2025-11-22", 1, 1, "0.0041", "USD"),
                ("2025-11-24", 1, 3, "0.0123", "USD"),
            ],
        ),
        (
            "sender",
            [
                ("+12025559001", 2, 2, "0.0041", "EUR"),
                ("+12025559001", 1, 1, "0.0041", "USD"),
                ("+12025559002", 1, 3, "0.0123", "USD"),
            ],
        ),
        ("country", [("DE", 1, 1, "0.0041", "EUR"), ("US", 1, 1, None, "EUR"), ("US", 2, 4, "0.0164", "USD")]),
    ],
)
async def test_costs_are_grouped_and_never_summed_over_currencies(recorder, feed, reader, another, by, expected):
    await two_campaigns(recorder, feed, another)
    found = await reader.costs(by)
    assert [(row.group, row.messages, row.parts, row.cost, row.currency) for row in found] == expected


async def test_costs_between_two_moments(recorder, feed, reader, push, another):
    await two_campaigns(recorder, feed, another)
    later = push.campaign.created_us + DAY * 1_000_000
    assert sum(row.messages for row in await reader.costs("campaign", until_us=later)) == 3
    assert [row.cost for row in await reader.costs("campaign", since_us=later)] == ["0.0123"]


async def test_what_has_no_price_yet_is_counted_not_guessed(recorder, feed, reader, another):
    await two_campaigns(recorder, feed, another)
    assert [(row.currency, row.unpriced, row.estimated) for row in await reader.costs("campaign")] == [
        ("USD", 0, "0.008"),
        ("EUR", 1, "0.008"),
    ]


async def test_the_states_of_a_report_add_up_to_what_was_accepted(recorder, feed, reader, push):
    await feed.sealed(push)
    await feed.attempts(push.attempt(0), push.failed(1), states="ax")
    await recorder.catch_up()
    report = await reader.campaign_report(push.campaign.id)
    assert report["statuses"] == {"submitted": 1, "refused": 1, "ready": 4}
    assert sum(report["statuses"].values()) == report["accepted"] == 6


async def test_a_report_sets_the_estimate_against_the_cost(recorder, feed, reader, push):
    await finished(recorder, feed, push)
    report = await reader.campaign_report(push.campaign.id)
    [cost] = report["cost"]
    assert (cost["currency"], cost["messages"], cost["estimated"], cost["cost"]) == ("USD", 4, "0.016", "0.0167")
    assert (report["senders"], report["parts"], report["encodings"]) == ({"+12025559001": 4}, {1: 4}, {"GSM-7": 4})
    assert (report["chunks"], report["chunks_held"], report["sent_parts"]) == (2, 2, 4)
    assert report["first_sent_us"] < report["last_sent_us"]


async def test_a_difference_from_the_carriers_count_is_kept_and_counted(recorder, feed, reader, push):
    await feed.sealed(push)
    await feed.attempts(
        push.attempt(0, cost_micros=4000),
        push.attempt(1, cost_micros=8000, carrier_parts=2, carrier_encoding="UCS-2"),
        push.attempt(2, cost_micros=5000),
    )
    await recorder.catch_up()
    found = await reader.differences(push.campaign.id)
    assert (found["parts"], found["encoding"], found["cost"]) == (1, 1, 2)
    first, second = found["messages"]
    assert (first["message_id"], first["parts"], first["carrier_parts"]) == (f"{push.campaign.id}-0-1", 1, 2)
    assert (first["encoding"], first["carrier_encoding"]) == ("GSM-7", "UCS-2")
    assert (second["estimated_cost"], second["cost"]) == ("0.004", "0.005")
    assert (await reader.campaign_report(push.campaign.id))["differences"] == {"parts": 1, "encoding": 1, "cost": 2}


async def test_how_many_people_saw_the_same_sender_twice(recorder, feed, reader, another):
    first, second = another(), another("fedcba9876543210")
    await feed.attempts(*[first.attempt(i) for i in range(5)])
    await feed.attempts(*[second.attempt(i) for i in range(3)], second.attempt(3, sender="+12025559002"))
    await recorder.catch_up()
    held = await reader.same_senders(first.campaign.id, second.campaign.id)
    assert held == {"people": 4, "same": 3}


async def test_status_counts_of_several_campaigns(recorder, feed, reader, another):
    await two_campaigns(recorder, feed, another)
    found = await reader.status_counts(["0123456789abcdef", "fedcba9876543210", "not there"])
    assert found == {"0123456789abcdef": {"submitted": 2, "refused": 1}, "fedcba9876543210": {"submitted": 2}}


def test_money_of_the_tests_is_what_it_says():
    assert micros("0.0167") == 3 * 4200 + 4100
