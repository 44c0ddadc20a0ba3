"""The ledger back into an empty Redis: what is put back, what is doubtful, and that it may be done again."""

from collections.abc import Callable
from decimal import Decimal

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.rebuild.run import Report, Wish, rebuild
from tests.flow.ledger.test_audit import Books
from tests.redis.conftest import PROFILE, chunk_of, people, sender
from volley.campaign import Campaign
from volley.errors import RefusedByPolicy, TryAgainLater, UnusableInput
from volley.message import MessageId
from volley.outbox.doubts import DOUBT, of_campaign, spot
from volley.outbox.events import NOBODY
from volley.outbox.inbound import InboundRecord, Said, Word, hear
from volley.outbox.outbox import Outbox
from volley.outbox.views import pins
from volley.settings import Settings
from volley.state import MOVES_ARG as MOVES


class Lossy(Books):
    async def lose(self) -> None:
        """All is recorded, then Redis is empty, but for the pool that a sync brings back."""
        await self.recorder.catch_up()
        await self.redis.flushall()  # type: ignore[attr-defined]
        await self.sync([sender(i, 100_000) for i in range(3)])
        await self.rate("a", 100_000)

    async def rebuild(self, **wish: object) -> Report:
        return await rebuild(Settings(), self.outbox, self.engine, Wish(**wish))  # type: ignore[arg-type]

    async def dump(self) -> dict[bytes, object]:
        """All that Redis holds, without the ledger stream and what is of the moment."""
        found: dict[bytes, object] = {}
        for key in sorted(await self.redis.keys("volley:{*")):  # type: ignore[attr-defined]
            kind = (await self.redis.type(key)).decode()  # type: ignore[attr-defined]
            if any(word in key for word in (b":ledger", b":doubts", b":due", b":unplanned", b":server", b":pool")):
                continue
            read: dict[str, Callable[[], object]] = {
                "string": lambda key=key: self.redis.get(key),
                "hash": lambda key=key: self.redis.hgetall(key),
                "zset": lambda key=key: self.redis.zrange(key, 0, -1),
                "list": lambda key=key: self.redis.lrange(key, 0, -1),
                "set": lambda key=key: self.redis.smembers(key),
            }
            found[key] = await read[kind]()  # type: ignore[misc]
        return {key: _timeless(key, value) for key, value in found.items()}

    async def sent_some(self, **fields: object) -> Campaign:
        """Of 40 chunks the first 5 have been taken from: submitted, refused and unknown ones."""
        await self.pool(count=3, rate=100_000, account=100_000)
        facts = {"created_us": await self.now_us(), **fields}
        campaign = await self.push(*(chunk_of(people(10, 10 * n)) for n in range(40)), plan=False, **facts)
        for k in range(5):
            await self.plan(campaign, k, chunk_of(people(10, 10 * k)))
        for n in range(45):
            await self.told_settle(await self.take_one(), "?" if n % 9 == 8 else "x" if n % 9 == 7 else "a")
        return campaign


def _timeless(key: bytes, value: object) -> object:
    if b":unknown" in key and isinstance(value, dict):
        return {spot: (*DOUBT.unpack(packed)[:7], *DOUBT.unpack(packed)[8:]) for spot, packed in value.items()}
    return value


@pytest.fixture
async def books(db: redis.asyncio.Redis, engine: AsyncEngine) -> Lossy:
    return Lossy(Outbox(db, "test"), engine)


async def test_what_is_put_back_adds_up_and_is_paused(books: Lossy) -> None:
    campaign = await books.sent_some()
    before = await books.counts(campaign)
    await books.lose()
    report = await books.rebuild()
    assert report.complete
    counts = await books.counts(campaign)
    assert counts == {
        "submitted": before["submitted"],
        "refused": before["refused"],
        "unknown": before["unknown"] + 5 + 100,  # the rest of the begun chunks, and the margin
        "ready": 250,
    }
    view = await books.outbox.campaign(campaign.id)
    assert view is not None
    assert (view.state, view.planned_chunks) == ("paused", 15)
    assert view.sent_parts == before["submitted"]
    assert view.cost_micros == 4000 * before["submitted"]
    assert (await books.take()).grants == []
    await books.recorder.catch_up()
    assert await books.audit(campaign) == set()
    await books.check(campaign)


async def test_it_goes_on_with_what_cannot_have_been_sent_and_nothing_else(books: Lossy) -> None:
    campaign = await books.sent_some()
    await books.lose()
    await books.rebuild()
    await books.outbox.resume(campaign.id)
    for k in range(15, 40):
        assert await books.plan(campaign, k, chunk_of(people(10, 10 * k)))
    granted = [grant for flight in await books.take_all(250) for grant in flight.grants]
    assert {grant.to for grant in granted} == set(people(250, 150))
    await books.check(campaign)


async def test_run_again_after_it_was_killed_anywhere_it_ends_the_same(books: Lossy) -> None:
    campaign = await books.sent_some()
    await books.outbox.add_optouts(PROFILE, people(3))
    await books.lose()
    await books.rebuild()
    whole = await books.dump()
    held = books.outbox.scripts
    for calls in (0, 1, 2, 9, 38, 41):
        await books.lose()
        books.outbox.scripts = Dying(held, calls)  # type: ignore[assignment]
        with pytest.raises((RedisAway, TryAgainLater)):
            await books.rebuild()
        books.outbox.scripts = held
        await books.rebuild()
        assert await books.dump() == whole, f"killed after {calls} calls"
        again = await books.rebuild()
        assert [each.why for each in again.campaigns] == ["it is in Redis"]
        assert await books.dump() == whole
        await books.check(campaign)


class Dying:
    """Scripts that reach Redis so often, and then no more."""

    def __init__(self, scripts: object, calls: int) -> None:
        self._scripts = scripts
        self._calls = calls

    def __getattr__(self, name: str) -> object:
        if name not in ("run", "durable"):
            return getattr(self._scripts, name)

        async def call(*arguments: object) -> object:
            if self._calls == 0:
                raise RedisAway
            self._calls -= 1
            return await getattr(self._scripts, name)(*arguments)

        return call


async def test_a_cancelled_campaign_is_swept_and_an_expiring_one_expires(books: Lossy) -> None:
    cancelled = await books.sent_some()
    await books.outbox.scripts.run("sweep", "", cancelled.id, "c", 0)
    expiring = await books.push(*(chunk_of(people(10)) for _ in range(20)), expires_us=1, created_us=1, plan=False)
    await books.lose()
    assert (await books.rebuild()).complete
    await books.outbox.sweep(cancelled.id, "c")
    counts = await books.counts(cancelled)
    assert counts["cancelled"] == 250
    assert "ready" not in counts
    assert expiring.id in await books.outbox.chores.expired()
    await books.check(cancelled, expiring)


async def test_what_is_over_is_left_alone_and_so_is_what_is_there(books: Lossy) -> None:
    over = await books.half_sent()
    await books.end(over)
    await books.lose()
    there = await books.push(chunk_of(people(5)), created_us=await books.now_us())
    await books.recorder.catch_up()
    before = await books.dump()
    report = await books.rebuild()
    assert [(each.campaign_id, each.why) for each in report.campaigns] == [(there.id, "it is in Redis")]
    assert {key: value for key, value in (await books.dump()).items() if b":pin:" not in key} == before
    with pytest.raises(UnusableInput, match="how it ended"):
        await books.rebuild(only=over.id)


async def test_only_a_message_whose_only_attempt_is_known_may_be_repeated(books: Lossy) -> None:
    campaign = await books.sent_some()
    reaped = await books.take_one()
    await books.redis.zadd(books.keys.of("flights"), {reaped.token: 0})
    await books.outbox.scripts.run("reap", MOVES, 50, 60_000_000)
    await books.lose()
    await books.rebuild()
    doubts = [doubt async for doubt in of_campaign(books.redis, books.keys, campaign.id)]
    assert len(doubts) == (await books.counts(campaign))["unknown"]
    known = [doubt for doubt in doubts if doubt.sender != NOBODY]
    assert len(known) == 5
    assert all(doubt.attempt == 1 for doubt in known)
    grant = reaped.grants[0]
    packed = await books.redis.hget(books.keys.of("unknown"), spot(MessageId(campaign.id, grant.chunk, grant.offset)))
    assert DOUBT.unpack(packed or b"")[1] == NOBODY


async def test_the_idempotency_key_still_leads_to_its_campaign(books: Lossy) -> None:
    campaign = await books.sent_some(idempotency_key="monday", content_hash="h")
    await books.lose()
    await books.rebuild()
    assert await books.outbox.find_key("monday") == (campaign.id, "h")


async def test_gathered_messages_are_put_back_as_such(books: Lossy) -> None:
    pushed = await books.sent_some()
    gathered = await books.push(chunk_of(people(1, 900)), created_us=await books.now_us(), claims=(("k", "mark []"),))
    await books.lose()
    await books.rebuild()
    assert [view.campaign.id for view in await books.outbox.campaigns()] == [pushed.id]
    assert [view.campaign.id for view in await books.outbox.campaigns("gathered")] == [gathered.id]


async def test_opt_outs_of_every_source_hold_and_the_last_word_counts(books: Lossy) -> None:
    anne, bert, carl, dora = people(4, 900)
    await books.sync([sender(1)])
    now = await books.now_us()
    await books.outbox.add_optouts(PROFILE, [anne, bert])
    await books.outbox.remove_optouts(PROFILE, [bert])
    text = InboundRecord("e1", now, now, "c1", PROFILE, f"+{carl}", "+12025559001", "STOP", [], "stop")
    await hear(books.outbox, [Said(text, Word(PROFILE, carl, "stop", now))])
    await hear(books.outbox, [Said(None, Word("not synced", anne, "stop", now))])
    await books.push(chunk_of([dora]), created_us=now)
    await books.told_settle(await books.take_one(), "o")
    await books.lose()
    report = await books.rebuild()
    assert report.optouts == 4
    assert await books.outbox.opted_out(PROFILE, people(4, 900)) == {anne, carl, dora}
    await books.sync([], profile="not synced")
    assert await books.outbox.opted_out("not synced", [anne]) == {anne}


async def test_people_keep_the_sender_they_know(books: Lossy) -> None:
    await books.half_sent()
    before = await pins(books.redis, books.keys)
    await books.lose()
    await books.rebuild()
    after = await pins(books.redis, books.keys)
    assert len(after) == 26
    assert set(after) <= set(before)


async def test_while_a_worker_lives_nothing_is_put_back(books: Lossy) -> None:
    campaign = await books.sent_some()
    await books.lose()
    await books.outbox.chores.show("w1", {"host": "h", "pid": 1, "started_us": 1, "in_flight": 0})
    with pytest.raises(RefusedByPolicy, match="stop them"):
        await books.rebuild()
    assert await books.outbox.campaign(campaign.id) is None


async def test_a_dry_run_says_the_same_and_changes_nothing(books: Lossy) -> None:
    await books.sent_some()
    await books.lose()
    before = await books.dump()
    (dry,) = (await books.rebuild(dry=True)).campaigns
    assert await books.dump() == before
    (wet,) = (await books.rebuild()).campaigns
    assert dry.as_json() == wet.as_json()
    assert (dry.ready, dry.unknown, dry.marked) == (250, 110, 105)


async def test_a_pool_that_cannot_be_read_is_named_and_its_campaigns_wait(books: Lossy) -> None:
    campaign = await books.sent_some()
    await books.recorder.catch_up()
    await books.redis.flushall()  # type: ignore[attr-defined]
    report = await books.rebuild()
    assert not report.complete
    assert PROFILE in report.unsynced
    assert "numbers sync" in report.campaigns[0].why
    assert await books.outbox.campaign(campaign.id) is None


async def test_what_was_changed_while_it_ran_is_put_back_too(books: Lossy) -> None:
    campaign = await books.sent_some(rate_milli=500_000)
    await books.outbox.change(campaign.id, rate=Decimal(7), priority="urgent")
    await books.outbox.change(campaign.id, rate=Decimal("0.5"))
    await books.lose()
    await books.rebuild()
    view = await books.outbox.campaign(campaign.id)
    assert view is not None
    assert (view.campaign.rate_milli, view.campaign.priority) == (500, "urgent")
    await books.outbox.resume(campaign.id)
    for k in range(15, 40):
        assert await books.plan(campaign, k, chunk_of(people(10, 10 * k)))
    assert len((await books.take()).grants) == 1
