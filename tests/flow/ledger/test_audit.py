"""Redis beside the ledger: what differs is named, what only moves is not."""

import asyncio
import logging

import pytest
import redis.asyncio
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.audit.watch import Watch
from producer.audit.whole import Whole
from tests.redis.conftest import Rig, chunk_of, people
from volley.campaign import Campaign
from volley.ledger import audit
from volley.ledger.missing import Settled, missing
from volley.ledger.recorder import Recorder
from volley.ledger.schema import chunks, messages
from volley.outbox import findings
from volley.outbox.events import AttemptRecord, pack
from volley.outbox.flights import Flight
from volley.outbox.outbox import Outbox

DAYS = 30.0
HOUR_US = 3_600_000_000


class Books(Rig):
    """A rig with a ledger beside it."""

    def __init__(self, outbox: Outbox, engine: AsyncEngine) -> None:
        super().__init__(outbox)
        self.engine = engine
        self.recorder = Recorder(outbox, engine, name="tests")

    async def half_sent(self) -> Campaign:
        """Two chunks: one is over and has left Redis, of the other some are submitted, one is unknown, the rest is ready."""
        await self.pool(count=3, rate=100_000, account=100_000)
        campaign = await self.push(chunk_of(people(20)), chunk_of(people(20, 20)), created_us=await self.now_us())
        for n in range(26):
            flight = await self.take_one()
            await self.told_settle(flight, "x" if n == 5 else "a")
        await self.recorder.catch_up()
        return campaign

    async def take_one(self) -> Flight:
        for _ in range(1000):
            if (flight := await self.take(1)).grants:
                return flight
            await asyncio.sleep(0.005)
        raise AssertionError("nothing is granted")

    async def spot(self, campaign: Campaign, state: str) -> tuple[int, int]:
        """The first message in a state, of those that are in Redis."""
        for k in range(campaign.chunks):
            text = (await self.redis.get(self.keys.states(campaign.id, k)) or b"").decode()
            if state in text:
                return k, text.index(state)
        raise AssertionError(state)

    async def told_settle(self, flight: Flight, state: str) -> None:
        await self.settle(flight, state, payload=pack([attempt(flight, n) for n in range(len(flight.grants))]))

    async def end(self, campaign: Campaign) -> None:
        """All of it is submitted, recorded, and its chunks have gone."""
        while (view := await self.outbox.campaign(campaign.id)) and view.waiting:
            flight = await self.take()
            if flight.grants:
                await self.told_settle(flight, "a")
        await self.recorder.catch_up()

    async def audit(self, campaign: Campaign | None = None) -> set[tuple[str, ...]]:
        """(kind, messages …) of each breach."""
        document = await Whole(self.outbox, self.engine, DAYS, pause_s=0).run(campaign.id if campaign else None)
        assert document["notes"] == []
        return {(each["kind"], *each["messages"]) for each in document["broken"]}


def attempt(flight: Flight, n: int) -> AttemptRecord:
    grant = flight.grants[n]
    return AttemptRecord(
        grant.campaign, grant.chunk, grant.offset, grant.attempt, grant.to, None, "+12025559001", "GSM-7", 1, 4000,
        flight.now_us, flight.now_us + 100, flight.now_us + 200, "accepted", 200, "", "", "", "GSM-7", 1, 4000, 3000, 1000, "USD",
    )  # fmt: skip


@pytest.fixture
async def books(db: redis.asyncio.Redis, engine: AsyncEngine) -> Books:
    return Books(Outbox(db, "test"), engine)


async def test_what_is_half_sent_and_recorded_is_well(books: Books) -> None:
    campaign = await books.half_sent()
    assert await books.audit(campaign) == set()
    await books.end(campaign)
    assert "states" not in await books.left()
    assert await books.audit() == set()


async def test_a_row_that_the_ledger_has_lost_is_named(books: Books) -> None:
    campaign = await books.half_sent()
    chunk, offset = await books.spot(campaign, "a")
    await change(books, delete(messages).where(messages.c.chunk == chunk, messages.c.offset == offset))
    assert await books.audit(campaign) == {("ledger", f"{campaign.id}-{chunk}-{offset}")}


async def test_a_row_of_a_chunk_that_has_left_redis_is_missed_too(books: Books) -> None:
    campaign = await books.half_sent()
    await books.end(campaign)
    await change(books, delete(messages).where(messages.c.chunk == 1, messages.c.offset == 3))
    assert await books.audit() == {("ledger_counts",), ("lost", f"{campaign.id}-1-3")}
    await change(books, delete(chunks).where(chunks.c.chunk == 0))
    assert ("lost",) in await books.audit()


async def test_a_message_that_redis_forgot_was_sent_is_named_before_it_goes_again(books: Books) -> None:
    """An older dump of Redis came back: its own books agree, the ledger knows better."""
    campaign = await books.half_sent()
    chunk, offset = await books.spot(campaign, ".")
    await change(books, messages.insert().values(ledger_row(campaign, chunk, offset, 52)))
    assert await books.audit(campaign) == {("ledger", f"{campaign.id}-{chunk}-{offset}")}


def ledger_row(campaign: Campaign, chunk: int, offset: int, rank: int) -> dict[str, object]:
    place: dict[str, object] = {"campaign_id": campaign.id, "chunk": chunk, "offset": offset, "rank": rank}
    zero = ("status_us", "attempts", "taken_us", "sender_attempt", "parts_us", "cost_rank", "cost_us")
    return place | {"error_code": "", "carrier_id": ""} | dict.fromkeys(zero, 0)


async def test_states_and_counters_changed_together_are_found_by_the_ledger(books: Books) -> None:
    campaign = await books.half_sent()
    chunk, offset = await books.spot(campaign, "a")
    await books.redis.setrange(books.keys.states(campaign.id, chunk), offset, "x")  # type: ignore[attr-defined]
    await books.redis.hincrby(books.keys.campaign(campaign.id), "na", -1)  # type: ignore[attr-defined]
    await books.redis.hincrby(books.keys.campaign(campaign.id), "nx", 1)  # type: ignore[attr-defined]
    assert await books.audit(campaign) == {("ledger", f"{campaign.id}-{chunk}-{offset}")}


async def test_a_chunk_that_redis_has_lost_is_named_by_its_messages(books: Books) -> None:
    campaign = await books.half_sent()
    states = (await books.redis.get(books.keys.states(campaign.id, 1)) or b"").decode()
    await books.redis.delete(books.keys.states(campaign.id, 1))
    found = {each[0]: each[1:] for each in await books.audit(campaign)}
    assert set(found) >= {"states", "lost"}
    assert {int(name.split("-")[2]) for name in found["lost"]} == {
        at for at, state in enumerate(states) if state == "."
    }


async def test_a_campaign_that_redis_has_lost_is_missed_and_one_that_is_over_is_not(books: Books) -> None:
    over = await books.half_sent()
    await books.end(over)
    lost = await books.push(chunk_of(people(3)), created_us=await books.now_us())
    await books.recorder.catch_up()
    await books.redis.flushall()  # type: ignore[attr-defined]
    assert await books.audit() == {("missing",)}
    assert await books.audit(lost) == {("missing",)}
    assert await books.audit(over) == set()


async def test_gathered_messages_that_have_left_redis_are_well_and_those_that_it_has_lost_are_missed(
    books: Books,
) -> None:
    await books.pool(count=3, rate=100_000, account=100_000)
    fields = {"created_us": await books.now_us(), "claims": (("k", "mark [[0, 0]]"),)}
    over = await books.push(chunk_of(people(3)), **fields)
    await books.end(over)
    assert await books.outbox.chores.forget(86_400_000_000, 10, -1_000_000) == 1
    assert await books.outbox.campaign(over.id) is None
    assert await books.audit() == await books.audit(over) == set()
    lost = await books.push(chunk_of(people(3)), **fields | {"claims": (("l", "mark [[0, 0]]"),)})
    await books.recorder.catch_up()
    assert await books.audit() == set(), "it is in Redis"
    await books.redis.flushall()  # type: ignore[attr-defined]
    assert await books.audit(lost) == await books.audit() == {("missing",)}


async def test_who_looks_again_for_what_is_lost_remembers_only_what_is_open_and_what_has_just_ended(
    books: Books,
) -> None:
    await books.pool(count=3, rate=100_000, account=100_000)
    long_ago, now_us = await books.now_us() - 3 * HOUR_US, await books.now_us()
    early = [await books.push(chunk_of(people(1, n)), created_us=long_ago) for n in range(3)]
    for each in early:
        await books.end(each)
    settled = Settled()
    assert await missing(books.outbox, books.engine, DAYS, settled) == []
    assert settled.open.keys() == {each.id for each in early}, "Redis has them: it may lose them yet"
    for each in early[:2]:
        await forget(books, each)
    open_ = await books.push(chunk_of(people(1, 9)), created_us=now_us)
    await books.recorder.catch_up()
    for _ in range(2):
        assert await missing(books.outbox, books.engine, DAYS, settled) == []
        assert settled.open.keys() == {early[2].id, open_.id}
        assert settled.ended == {}
    await forget(books, open_)
    for _ in range(2):
        [breach] = await missing(books.outbox, books.engine, DAYS, settled)
        assert breach.campaign == open_.id


async def forget(books: Books, campaign: Campaign) -> None:
    await books.redis.zrem(books.keys.campaigns, campaign.id)


async def test_where_the_ledger_is_behind_it_is_said_and_nothing_is_called_broken(books: Books) -> None:
    campaign = await books.half_sent()
    await books.end(campaign)
    await change(books, delete(messages))
    await books.push(chunk_of(people(3)))  # in the stream, and no recorder runs
    whole = Whole(books.outbox, books.engine, DAYS, patience_s=0.1)
    document = await whole.run(campaign.id)
    assert document["broken"] == []
    assert "volley serve" in document["notes"][0]


async def test_the_watch_alarms_once_tells_others_and_notices_when_it_is_well_again(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = await books.half_sent()
    watch = Watch(books.outbox, books.engine, "here", retention_days=DAYS, pause_s=0)
    await watch.round()
    assert (watch.broken, watch.checked, watch.unknown) == ([], 1, 0)
    await books.redis.hincrby(books.keys.campaign(campaign.id), "na", 1)  # type: ignore[attr-defined]
    await watch.round()
    await watch.round()
    assert {breach.kind for breach in watch.broken} == {"counters"}
    alarms = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(alarms) == 1
    assert all(campaign.id in record.getMessage() for record in alarms)
    told = await findings.told(books.outbox)
    assert told.checked == 1
    assert {each["kind"] for each in told.broken} == {"counters"}
    await books.redis.hincrby(books.keys.campaign(campaign.id), "na", -1)  # type: ignore[attr-defined]
    await watch.round()
    assert watch.broken == []
    assert (await findings.told(books.outbox)).broken == ()
    assert "well again" in caplog.text


async def test_the_watch_gets_round_to_every_chunk_and_every_campaign(books: Books) -> None:
    await books.pool()
    numbers = [*people(25)]
    campaigns = [await books.push(*(chunk_of([n]) for n in numbers), created_us=await books.now_us()) for _ in range(6)]
    await books.recorder.catch_up()
    watch = Watch(books.outbox, books.engine, "here", retention_days=DAYS, pause_s=0)
    for campaign in campaigns:
        await change(books, messages.insert().values(ledger_row(campaign, 22, 0, 52)))
    broken = {f"{campaign.id}-22-0" for campaign in campaigns}
    for _ in range(4):
        await watch.round()
    assert {name for breach in watch.broken for name in breach.ids} == broken


async def test_what_moves_while_it_is_compared_is_not_wrong(books: Books) -> None:
    """Sending, recording and comparing at once, as fast as each can."""
    await books.pool(count=3, rate=100_000, account=100_000)
    campaign = await books.push(*(chunk_of(people(200, 200 * n)) for n in range(4)), created_us=await books.now_us())
    recording = asyncio.create_task(books.recorder.run())
    sending = asyncio.create_task(send_all(books, campaign))
    looks = 0
    try:
        while not sending.done():
            assert await audit.compared(books.outbox, books.engine, campaign.id, 0, 4) == []
            looks += 1
    finally:
        books.recorder.stop()
        await asyncio.gather(recording, sending)
    assert looks > 3


async def send_all(books: Books, campaign: Campaign) -> None:
    for turn in range(400):
        flight = await books.take(3)
        if flight.grants:
            await books.told_settle(flight, "a.x?"[turn % 4])
        await asyncio.sleep(0)


async def change(books: Books, statement: object) -> None:
    async with books.engine.begin() as connection:
        await connection.execute(statement)  # type: ignore[call-overload]


async def test_what_was_given_up_and_has_left_redis_is_not_lost_and_elsewhere_it_is(books: Books) -> None:
    for policy, found in (("give-up", set()), ("hold", {"lost"})):
        await books.pool(count=3, rate=100_000, account=100_000)
        now = await books.now_us()
        campaign = await books.push(chunk_of([12025550000]), chunk_of([12025550001]), created_us=now, on_unknown=policy)
        first = await books.take_one()
        await books.told_settle(first, "?")
        spot = first.grants[0].chunk
        (doubt,) = await books.redis.zrange(books.keys.of("doubts"), 0, -1)
        await books.redis.zadd(books.keys.of("doubts"), {doubt: 0})
        assert await books.outbox.scripts.run("give_up", 0, 50) == (policy == "give-up")
        await books.recorder.catch_up()
        await books.redis.delete(books.keys.states(campaign.id, spot), books.keys.chunk(campaign.id, spot))
        breaches = await audit.compared(books.outbox, books.engine, campaign.id, spot, spot + 1)
        assert {breach.kind for breach in breaches or []} == found
        await books.outbox.cancel(campaign.id)
