"""Texts of people in the ledger: each once, with the message that it answers, and handed on after the commit."""

import asyncio
import itertools
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from tests.flow.ledger.conftest import SENDERS, T0
from volley.ledger import schema
from volley.ledger.reader import Reader
from volley.outbox.inbound import InboundRecord, pack, read_on

ADA = "+12025550100"


def text(event_id: str = "event-1", at: int = 60, **changes: Any) -> InboundRecord:
    moment = T0 + at * 1_000_000
    record = InboundRecord(event_id, moment, moment + 5, f"c-{event_id}", "profile-1", ADA, SENDERS[1], "yes", [], "")
    return record._replace(**changes)


async def say(feed: Any, *records: InboundRecord) -> str:
    entry: str = await feed.raw({"v": "1", "k": "inbound", "p": pack(records)})
    return entry


async def kept(engine: Any) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(schema.inbound).order_by(schema.inbound.c.event_id))
        return [row._asdict() for row in rows]


async def handed_on(outbox: Any) -> list[dict[str, Any]]:
    return [document for _, document in await read_on(outbox, "0", wait_ms=1)]


async def answered(engine: Any) -> list[tuple[str, int, int]]:
    return [(row["campaign_id"], row["chunk"], row["offset"]) for row in await kept(engine)]


async def test_a_text_answers_the_message_that_its_number_sent_last(recorder, feed, engine, outbox, push, another):
    older = another("0123456789abcdea")
    later = another("0123456789abcdeb")
    for each in (older, push, later):
        await feed.sealed(each)
    await feed.attempts(older.attempt(0, at=1), push.attempt(0, at=10), later.attempt(0, at=300))
    await say(feed, text(text="yes please", media=["https://media.example/1.jpg"]))
    await recorder.catch_up()
    assert await answered(engine) == [(push.campaign.id, 0, 0)]
    [document] = await handed_on(outbox)
    assert document == {
        "event_id": "event-1",
        "at": "2025-11-22T08:27:40.000+00:00",
        "profile": "profile-1",
        "from": ADA,
        "to": SENDERS[1],
        "text": "yes please",
        "media": ["https://media.example/1.jpg"],
        "keyword": None,
        "campaign_id": push.campaign.id,
        "message_id": f"{push.campaign.id}-0-0",
        "reference": "ref-0",
    }
    assert await Reader(engine).inbound(campaign_id=push.campaign.id) == [document]


async def test_without_one_from_that_number_it_answers_the_last_of_its_profile(recorder, feed, engine, push):
    await feed.sealed(push)
    await feed.attempts(push.attempt(0), push.attempt(1))
    await say(feed, text("a", number="+12025559777"), text("b", number="+12025559777", profile="profile-2"))
    await recorder.catch_up()
    assert await answered(engine) == [(push.campaign.id, 0, 0), ("", -1, -1)]


async def test_a_message_that_did_not_go_out_is_answered_by_nobody(recorder, feed, engine, push):
    await feed.sealed(push)
    await feed.attempts(push.failed(0), states="x")
    await say(feed, text())
    await recorder.catch_up()
    assert await answered(engine) == [("", -1, -1)]


@pytest.mark.parametrize("order", list(itertools.permutations(["sealed", "attempt", "text", "text"]))[::2])
async def test_in_any_order_and_however_often_it_ends_the_same(recorder, feed, engine, push, order):
    for step in order:
        if step == "sealed":
            await feed.sealed(push)
        elif step == "attempt":
            await feed.attempts(push.attempt(0))
        else:
            await say(feed, text())
        await recorder.catch_up()
    [row] = await kept(engine)
    assert (row["campaign_id"], row["answer_rank"], row["answer_us"]) == (push.campaign.id, 2, push.attempt(0).sent_us)


async def test_a_text_from_a_stranger_is_kept_and_answers_nothing(recorder, feed, engine, outbox):
    await say(feed, text("a", person="12345"), text("b", person="+4915112345678", keyword="stop"))
    await recorder.catch_up()
    assert await answered(engine) == [("", -1, -1)] * 2
    assert [document["keyword"] for document in await handed_on(outbox)] == [None, "stop"]
    assert recorder.counts.inbound == 2


async def test_nothing_is_handed_on_that_is_not_committed(recorder, outbox, feed, engine, db):
    """And where handing on fails the entry stays in the stream, so that it is done again."""
    stream = outbox.keys.of("inbound")
    await db.set(stream, "in the way")
    await say(feed, text())
    recorder.stop()
    with pytest.raises(Exception, match="WRONGTYPE"):
        await recorder._commit(await _entries(recorder))
    assert (len(await kept(engine)), await feed.length()) == (1, 1)


async def test_a_text_is_handed_on_and_acknowledged_though_memory_is_full(recorder, outbox, feed, engine, db):
    await say(feed, text())
    await recorder._stream.ensure()
    await db.config_set("maxmemory", "1")
    try:
        await asyncio.wait_for(recorder.catch_up(), 10)
        assert (await feed.length(), await outbox.redis.xlen(outbox.keys.of("inbound"))) == (0, 1)
    finally:
        await db.config_set("maxmemory", "0")


async def _entries(recorder):
    await recorder._stream.ensure()
    return await recorder._stream.fresh(10, 0)


async def test_the_stream_of_texts_is_bounded(outbox, engine, feed):
    from volley.ledger.recorder import Recorder

    recorder = Recorder(outbox, engine, name="tests", inbound_bound=100)
    for start in range(0, 1000, 200):
        await say(feed, *[text(f"event-{n}") for n in range(start, start + 200)])
    await recorder.catch_up()
    assert 100 <= await outbox.redis.xlen(outbox.keys.of("inbound")) < 400


async def test_a_messages_story_tells_what_the_person_said(recorder, feed, engine, push):
    await feed.sealed(push)
    await feed.attempts(push.attempt(0))
    await say(feed, text(text="no, thanks"))
    await recorder.catch_up()
    story = await Reader(engine).message_story(f"{push.campaign.id}-0-0")
    assert [each["text"] for each in story["history"] if each["event"] == "answer"] == ["no, thanks"]


async def test_texts_are_listed_newest_first_by_profile_and_moment(recorder, feed, engine):
    await say(feed, text("a", 1), text("b", 2), text("c", 3, profile="profile-2"))
    await recorder.catch_up()
    reader = Reader(engine)
    assert [each["event_id"] for each in await reader.inbound()] == ["c", "b", "a"]
    assert [each["event_id"] for each in await reader.inbound("profile-1", since_us=T0 + 2_000_000)] == ["b"]
    assert [each["event_id"] for each in await reader.inbound(most=1)] == ["c"]


async def test_a_body_that_nobody_could_read_is_in_quarantine_with_its_bytes(recorder, feed, engine):
    await feed.raw({"v": "1", "k": "unreadable", "b": b"\xffsms_id=1", "e": "no event", "t": T0})
    await recorder.catch_up()
    async with engine.connect() as connection:
        [row] = (await connection.execute(select(schema.quarantine))).all()
    assert (row.error, row.at_us) == ("no event", T0)
    assert b"\xffsms_id=1" in row.fields
    assert recorder.counts.quarantined == 1


async def test_handed_on_texts_are_json_that_any_consumer_reads(recorder, feed, outbox, db):
    await say(feed, text())
    await recorder.catch_up()
    [(_, fields)] = await db.xrange(outbox.keys.of("inbound"))
    assert list(fields) == [b"json"]
    assert orjson.loads(fields[b"json"])["event_id"] == "event-1"
