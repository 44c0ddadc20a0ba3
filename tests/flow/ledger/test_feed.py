"""The feed tells of each change once, in one order, and tells the same again to whoever asks again."""

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.flow.ledger.conftest import T0, Feed, Push
from tests.flow.ledger.test_ledger_order import ENTRIES, clear
from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from volley.embedded import EmbeddedValkey
from volley.ledger import feed_schema, schema
from volley.ledger.cursor import Cursor
from volley.ledger.documents import Document
from volley.ledger.engine import writing
from volley.ledger.feed import prune
from volley.ledger.feed_reader import FeedReader, Gone, Wish
from volley.ledger.happenings import mask, wanted
from volley.ledger.ranks import RANKS
from volley.ledger.recorder import Recorder
from volley.outbox.events import MOVE, NOBODY
from volley.outbox.inbound import InboundRecord, Said, hear
from volley.outbox.outbox import Outbox

Tell = Callable[..., Awaitable[list[Document]]]


@pytest.fixture
def tell(recorder: Recorder, engine: AsyncEngine) -> Tell:
    """Records what is in the stream, and reads the feed."""

    async def read(*types: str, after: Cursor | None = None, campaign: str | None = None) -> list[Document]:
        await recorder.catch_up()
        wish = Wish(mask(wanted(types)), campaign)
        return (await FeedReader(engine).read(after, wish, 100_000)).events

    return read


def brief(events: list[Document]) -> list[tuple[str, str | None]]:
    return [(each["type"], each["data"].get("reference")) for each in events]


async def test_a_message_is_told_of_from_its_submission_to_its_delivery(feed: Feed, push: Push, tell: Tell) -> None:
    await feed.sealed(push)
    await feed.attempts(push.attempt(0), push.failed(1), states="ax")
    await feed.moves(push, "?", 2, why="reap")
    await feed.receipts(push.receipt(0, status="sent"), push.receipt(0), push.receipt(2, status="sent"))
    found = await tell()
    assert brief(found) == [
        ("campaign.accepted", None),
        ("campaign.started", None),
        ("message.submitted", "ref-0"),
        ("message.refused", "ref-1"),
        ("message.unknown", "ref-2"),
        ("message.delivered", "ref-0"),
        ("message.submitted", "ref-2"),
    ]
    delivered = found[5]
    assert delivered["campaign_id"] == push.campaign.id
    assert delivered["data"] == {
        "message_id": f"{push.campaign.id}-0-0",
        "reference": "ref-0",
        "to": "+12025550100",
        "from": "+12025559001",
        "status": "delivered",
        "parts": 1,
        "cost": "0.0042",
        "currency": "USD",
        "error_code": None,
        "error_text": None,
    }
    assert (found[3]["data"]["error_code"], found[3]["data"]["error_text"]) == ("40300", "Blocked")


async def test_what_is_recorded_again_or_said_again_is_told_once(feed: Feed, push: Push, tell: Tell) -> None:
    async def all_of_it() -> None:
        await feed.sealed(push)
        await feed.attempts(push.attempt(0), push.attempt(1))
        await feed.campaign(push, "paused")
        await feed.receipts(push.receipt(0), push.receipt(1, status="delivery_failed"))
        await feed.raw({"v": "1", "k": "optouts", "p": f"{PROFILE} 12025550100 1 5"})
        await feed.raw({"v": "1", "k": "event", "c": push.campaign.id, "e": "finished", "d": "{}", "t": T0})

    await all_of_it()
    once = await tell()
    assert len(once) == 9
    await all_of_it()
    await feed.receipts(
        push.receipt(0, at=10), push.receipt(0, status="sent"), push.receipt(0, status="delivery_unconfirmed")
    )
    assert await tell() == once


async def test_a_redriven_message_is_told_of_anew(feed: Feed, push: Push, tell: Tell) -> None:
    await feed.sealed(push)
    await feed.attempts(push.failed(0, "refused"), states="z")
    packed = MOVE.pack(push.campaign.id.encode(), 0, 0, b".", NOBODY, 1)
    redrive = {"v": "1", "k": "moves", "p": packed, "w": "redrive", "t": T0 + 10_000_000}
    await feed.raw(redrive)
    told = len(await tell("message.*"))
    again = push.failed(0, "refused", attempt=2, at=20)
    for _ in range(2):
        await feed.attempts(again, states="z")
        assert brief(await tell("message.*"))[told:] == [("message.dead", "ref-0")]


async def test_campaigns_texts_and_opt_outs_are_told_of(outbox: Outbox, feed: Feed, push: Push, tell: Tell) -> None:
    rig = Rig(outbox)
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await outbox.pause(campaign.id)
    await outbox.resume(campaign.id)
    await outbox.cancel(campaign.id)
    await outbox.add_optouts(PROFILE, [12025550199])
    await outbox.add_optouts(PROFILE, [12025550199])
    await outbox.remove_optouts(PROFILE, [12025550199])
    text = InboundRecord("e1", T0, T0 + 1, "c", PROFILE, "+12025550133", "+12025559001", "yes", [], "")
    await hear(outbox, [Said(text, None), Said(text, None)])
    found = await tell()
    assert [each["type"] for each in found if each["campaign_id"] is None] == [
        "optout.added",
        "optout.removed",
        "inbound.received",
    ]
    theirs = [each["type"] for each in found if each["campaign_id"] == campaign.id]
    states = ["accepted", "paused", "resumed", "cancelled"]
    assert theirs == [*(f"campaign.{state}" for state in states), *["message.cancelled"] * 3, "campaign.finished"]
    [heard] = await tell("inbound.received")
    assert (heard["data"]["text"], heard["data"]["from"]) == ("yes", "+12025550133")
    assert (await tell("optout.added"))[0]["data"] == {"profile": PROFILE, "person": "+12025550199"}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_whatever_comes_each_message_rises_and_ends_where_the_ledger_has_it(
    recorder, feed, engine, push, tell, data
):
    entries = data.draw(ENTRIES)
    await clear(engine)
    async with writing(engine) as connection:
        await connection.execute(delete(feed_schema.feed))
    for write in entries + data.draw(st.lists(st.sampled_from(entries), max_size=5)):
        await write(feed, push)
        if data.draw(st.booleans()):
            await recorder.catch_up()
    events = await tell("message.*")
    async with engine.connect() as connection:
        rows = (await connection.execute(select(schema.messages))).all()
    statuses: dict[str, list[str]] = {}
    for event in events:
        statuses.setdefault(event["data"]["message_id"], []).append(event["data"]["status"])
    for row in rows:
        told = statuses.pop(f"{row.campaign_id}-{row.chunk}-{row.offset}", ["ready"])
        assert told[-1] == row.status
        assert all(RANKS[a] < RANKS[b] for a, b in itertools.pairwise(told))
    assert statuses == {}


@pytest.mark.parametrize("most", [11, 499, 100_000])
async def test_whoever_reads_piece_by_piece_reads_the_same(
    feed: Feed, another: Callable[..., Push], tell: Tell, engine: AsyncEngine, most: int
) -> None:
    first, second = another(n=900, size=500), another("fedcba9876543210", n=40, size=40)
    for push in (first, second):
        await feed.sealed(push)
    for start in range(0, 900, 90):
        await feed.attempts(*[first.attempt(i) for i in range(start, start + 90)])
        await feed.attempts(*[second.attempt(i) for i in range(start // 90 * 4, start // 90 * 4 + 4)])
    whole = await tell()
    assert len(whole) == 2 + 2 + 940
    for wish in (Wish(), Wish(campaign_id=second.campaign.id), Wish(mask(["campaign.started"]))):
        wanted_ones = [
            each
            for each in whole
            if wish.campaign_id in (None, each["campaign_id"]) and mask([each["type"]]) & wish.types
        ]
        read: list[Document] = []
        cursor: Cursor | None = None
        for _ in range(2 * len(whole)):
            page = await FeedReader(engine).read(cursor, wish, most)
            read += page.events
            cursor = Cursor.parse(str(page.cursor))
            if len(page.events) < most:
                break
        assert read == wanted_ones
        assert cursor == await FeedReader(engine).latest()
    middle = Cursor.parse(whole[500]["id"])
    assert await tell(after=middle) == whole[501:]


async def aged(engine: AsyncEngine, position: int) -> None:
    """All rows up to this one are of eight days ago."""
    async with writing(engine) as connection:
        old = update(feed_schema.feed).where(feed_schema.feed.c.position <= position)
        await connection.execute(old.values(at_us=time.time_ns() // 1000 - 8 * 86_400_000_000))


async def test_who_has_read_all_there_was_goes_on_after_days_of_silence(
    feed: Feed, push: Push, tell: Tell, engine: AsyncEngine
) -> None:
    await feed.sealed(push)
    await tell()
    await feed.attempts(push.attempt(0))
    last = Cursor.parse((await tell())[-1]["id"])
    await aged(engine, 2)
    await feed.attempts(push.attempt(1))
    assert brief(await tell(after=last)) == [("message.submitted", "ref-1")]
    await prune(engine, 7)
    assert brief(await tell(after=last)) == [("message.submitted", "ref-1")]
    assert len(await tell()) == 3, "what is older than the last of silence is gone"


async def test_what_is_too_old_is_dropped_and_its_cursor_is_refused(
    feed: Feed, push: Push, tell: Tell, engine: AsyncEngine
) -> None:
    await feed.sealed(push)
    [accepted] = await tell()
    for i in range(3):
        await feed.attempts(push.attempt(i))
        await tell()
    await aged(engine, 3)
    await prune(engine, 7)
    assert brief(await tell()) == [("message.submitted", "ref-1"), ("message.submitted", "ref-2")]
    with pytest.raises(Gone, match="event_days"):
        await tell(after=Cursor.parse(accepted["id"]))
    with pytest.raises(Gone, match="another ledger"):
        await tell(after=Cursor.behind(99))
    async with writing(engine) as connection:
        await connection.execute(update(feed_schema.feed).values(at_us=1))
    await prune(engine, 7)
    await feed.attempts(push.attempt(4))
    assert [each["id"] for each in await tell()][-1] == "5.0"


RECORDER = """
import asyncio, sys
import redis.asyncio
from volley.ledger.engine import open_ledger
from volley.ledger.recorder import Recorder
from volley.outbox.outbox import Outbox

async def main():
    outbox = Outbox(redis.asyncio.Redis.from_url(sys.argv[1]), "test")
    print("ready", flush=True)
    await Recorder(outbox, open_ledger(sys.argv[2]), name="tests").run()

asyncio.run(main())
"""


async def test_a_killed_recorder_tells_nothing_twice_and_leaves_nothing_out(
    valkey: EmbeddedValkey,
    db: redis.asyncio.Redis,
    feed: Feed,
    another: Callable[..., Push],
    tell: Tell,
    ledger_url: str,
) -> None:
    push = another(n=6000, size=500)
    await feed.sealed(push)
    for start in range(0, 6000, 50):
        await feed.attempts(*[push.attempt(i) for i in range(start, start + 50)])
        await feed.receipts(*[push.receipt(i) for i in range(start, start + 50)])
    entries = await feed.length()
    killed_within = 0
    for part in range(1, 5):
        recording = subprocess.Popen([sys.executable, "-c", RECORDER, valkey.url, ledger_url], stdout=subprocess.PIPE)
        assert recording.stdout is not None
        await asyncio.to_thread(recording.stdout.readline)
        while await feed.length() > entries * (5 - part) // 5:
            assert recording.poll() is None, "the recorder ended by itself"
            await asyncio.to_thread(time.sleep, 0.002)
        recording.kill()
        await asyncio.to_thread(recording.wait)
        killed_within += (await feed.length()) > 0
    assert killed_within > 0
    counts: dict[Any, int] = {}
    for event in await tell("message.*"):
        key = event["type"], event["data"]["message_id"]
        counts[key] = counts.get(key, 0) + 1
    assert set(counts.values()) == {1}
    assert len([key for key in counts if key[0] == "message.delivered"]) == 6000
