"""A campaign of which too much fails, or whose people do not want it, pauses itself; budgets hear what things really cost."""

import secrets

import pytest
import redis.asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.bill.keeping import Keeping, Tally, verdict
from producer.push.redrive import refs
from tests.flow.ledger.test_audit import Books
from tests.redis.conftest import PROFILE, chunk_of, people, receipt
from volley.campaign import Campaign
from volley.ledger.dead import Corpse
from volley.money import amount
from volley.outbox.inbound import InboundRecord, Said, Word, hear
from volley.outbox.outbox import Outbox
from volley.state import RETRIES_ARG


@pytest.fixture
async def books(db: redis.asyncio.Redis, engine: AsyncEngine) -> Books:
    found = Books(Outbox(db, "test"), engine)
    await found.pool(count=3, rate=100_000, account=100_000)
    return found


async def sent(books: Books, n: int, *, refused: int = 0, **terms: object) -> Campaign:
    """All of it was tried, and so many refused."""
    campaign = await books.push(chunk_of(people(n)), chunk_of(people(400, n)), created_us=await books.now_us(), **terms)
    await books.outbox.redis.hset(books.keys.campaign(campaign.id), mapping={"pp": "4000"})
    await on(books, n, refused)
    return campaign


async def on(books: Books, n: int, refused: int) -> None:
    for k in range(n):
        await books.told_settle(await books.take_one(), "x" if k < refused else "a")
    await books.recorder.catch_up()


async def looked(books: Books, campaign: Campaign) -> tuple[str, str]:
    await Keeping(books.outbox, books.engine).look()
    view = await books.outbox.campaign(campaign.id)
    assert view is not None
    return view.state, view.paused_why


async def test_too_many_that_fail_pause_it_and_it_says_why(books: Books) -> None:
    campaign = await sent(books, 120, refused=6, pause_on_failures_ppm=100_000)
    assert await looked(books, campaign) == ("ready", "")
    for offset in range(20, 26):
        record = receipt(campaign.id, 0, offset)
        await books.outbox.apply_receipts([record._replace(status="delivery_failed", carrier_id=f"c{offset}")] * 2)
    await books.recorder.catch_up()
    state, why = await looked(books, campaign)
    assert (state, why) == ("paused", "12 of 120 messages failed, and its limit is 10 %")
    assert (await books.take()).grants == []
    told = [fields for _, fields in await books.redis.xrange(books.keys.ledger)]
    assert [each[b"e"] for each in told if b"e" in each] == [b"auto_paused"]
    assert [b'"who":"volley"' in each[b"p"] for each in told if each[b"k"] == b"action"] == [True]


async def test_a_resumed_one_is_judged_by_what_comes_after(books: Books) -> None:
    campaign = await sent(books, 100, refused=50, pause_on_failures_ppm=100_000)
    assert (await looked(books, campaign))[0] == "paused"
    await books.outbox.resume(campaign.id)
    assert await looked(books, campaign) == ("ready", "")
    await on(books, 100, 5)
    assert (await looked(books, campaign))[0] == "ready"
    await on(books, 10, 10)
    assert await looked(books, campaign) == ("paused", "15 of 110 messages failed, and its limit is 10 %")


async def test_what_fails_again_after_a_retry_is_judged_too(books: Books) -> None:
    chunk = chunk_of(people(160))
    campaign = await books.push(chunk, created_us=await books.now_us(), pause_on_failures_ppm=100_000)
    await on(books, 150, 100)
    assert (await looked(books, campaign))[0] == "paused"
    await books.outbox.resume(campaign.id)
    assert (await looked(books, campaign))[0] == "ready"
    states = await books.states(campaign)
    failed = [Corpse(offset, 1) for offset, state in enumerate(states) if state == "x"]
    scripts = books.outbox.scripts
    turn = await scripts.durable("retry", campaign.id, "")
    arguments = RETRIES_ARG, 0, 8, refs(0, chunk, failed), "x" * 100, b""
    assert await scripts.durable("retry", campaign.id, turn, *arguments) == 100
    await books.recorder.catch_up()
    assert (await looked(books, campaign))[0] == "ready"
    await on(books, 100, 100)
    assert await looked(books, campaign) == ("paused", "100 of 100 messages failed, and its limit is 10 %")


async def test_a_first_budget_is_counted_also_if_who_gave_it_has_died(books: Books) -> None:
    campaign = await sent(books, 20, estimated_micros=4000 * 420)
    await books.outbox.scripts.durable("change", campaign.id, "b=100000", "", "", "{}", b"")
    assert (await books.take()).grants == []
    await looked(books, campaign)
    view = await books.outbox.campaign(campaign.id)
    assert view is not None
    assert amount(view.budget_left_micros or 0) == "0.02", "0.1 - 20 × 0.004"
    assert len((await books.take()).grants) == 5


async def test_too_many_who_say_stop_pause_it(books: Books) -> None:
    """Each person counts once, however often they say it and however often the carrier tells of it."""
    campaign = await sent(books, 100, pause_on_opt_outs_ppm=30_000)
    at = await books.now_us() + 1
    for n, k in enumerate((0, 0, 0, 1, 2)):
        person, number = f"+{people(1, k)[0]}", "+12025559000"
        record = InboundRecord(secrets.token_hex(4), at + n, at + n, "c", PROFILE, person, number, "STOP", [], "stop")
        for _ in range(2):
            await hear(books.outbox, [Said(record, Word(PROFILE, people(1, k)[0], "stop", at + n))])
        await books.recorder.catch_up()
        assert (await looked(books, campaign))[0] == ("ready" if k < 2 else "paused")


async def test_few_messages_say_nothing_and_no_limit_pauses_nothing(books: Books) -> None:
    campaign = await sent(books, 99, refused=99, pause_on_failures_ppm=10_000)
    assert (await looked(books, campaign))[0] == "ready"
    await books.outbox.change(campaign.id, pause_on_failures=None)
    await on(books, 10, 10)
    assert (await looked(books, campaign))[0] == "ready"


async def test_a_budget_hears_what_the_carrier_asked_for(books: Books) -> None:
    campaign = await sent(books, 20, budget_micros=4000 * 30)
    for offset in range(20):
        record = receipt(campaign.id, 0, offset)._replace(cost_micros=5000, carrier_id=f"c{offset}")
        await books.outbox.apply_receipts([record] * 2)
    await books.recorder.catch_up()
    for _ in range(2):
        await looked(books, campaign)
        view = await books.outbox.campaign(campaign.id)
        assert view is not None
        assert amount(view.budget_left_micros or 0) == "0.02", "30 × 0.004 - 20 × 0.005"


def test_a_limit_is_reached_not_passed() -> None:
    assert verdict(Tally(1000, 50, 0), 50_000, 0)
    assert not verdict(Tally(1000, 49, 0), 50_000, 0)
    assert not verdict(Tally(99, 99, 99), 1, 1)
    assert not verdict(Tally(1000, 1000, 1000), 0, 0)
    assert (
        verdict(Tally(1000, 0, 20), 50_000, 20_000)
        == "20 of 1000 messages were answered with STOP, and its limit is 2 %"
    )
