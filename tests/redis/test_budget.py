"""A budget stops the next message: what is granted is charged at its estimate, and what was not sent is given back."""

import asyncio
from decimal import Decimal

import pytest

from tests.redis.conftest import Rig, chunk_of, people
from tests.redis.hands import Hand, dump, hold_is_over, roll_back
from tests.redis.test_routes import british
from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.outbox import budget, limits
from volley.outbox.chunks import Chunk
from volley.outbox.flights import NOT_SPENT

PRICES = {"US": 4000}


async def push(rig: Rig, n: int, micros: int, *, parts: int = 1, **fields: object) -> Campaign:
    """Each part costs 4000 micro-units."""
    chunk = Chunk(people(n), None, [], bytes([parts]) * n, bytes(n), [4000 * parts] * n)
    campaign = await rig.open(chunk, budget_micros=micros, estimated_micros=4000 * parts * n, **fields)
    await rig.outbox.seal(campaign, key_ttl_s=60, prices=PRICES)
    await rig.plan(campaign, 0, chunk)
    return campaign


async def left(rig: Rig, campaign: Campaign) -> int | None:
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    return view.budget_left_micros


async def granted(rig: Rig) -> int:
    """All that may go now, the rate not being in the way."""
    total = 0
    for _ in range(20):
        await rig.outbox.chores.clock()  # on a busy machine seconds may pass in which nobody looks
        total += len((await rig.take()).grants)
        await asyncio.sleep(0.005)
    return total


async def test_the_next_message_that_would_exceed_it_is_not_sent(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 50, 4000 * 3 * 7 + 11_999, parts=3)
    assert await granted(rig) == 7
    assert await left(rig, campaign) == 11_999
    assert await rig.counts(campaign) == {"ready": 43, "sending": 7}
    told = [fields[b"e"] for _, fields in await rig.redis.xrange(rig.keys.ledger) if b"e" in fields]
    assert told == [b"budget_reached"]
    await rig.check(campaign)


async def test_many_workers_at_once_do_not_exceed_it(rig: Rig) -> None:
    await rig.pool(4, rate=10_000)
    campaign = await push(rig, 400, 4000 * 100)
    flights = await asyncio.gather(*(rig.take(30) for _ in range(12)))
    assert sum(len(flight.grants) for flight in flights) <= 100
    assert sum(len(flight.grants) for flight in flights) + await granted(rig) == 100
    await rig.check(campaign)


async def test_what_was_not_sent_is_given_back_and_the_next_one_goes(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 50, 4000 * 10)
    flights = await rig.take_all(10)
    assert await granted(rig) == 0
    assert await rig.settle(flights[0], "x", 0) == "x"
    assert await left(rig, campaign) == 4000
    assert await granted(rig) == 1
    for flight in flights:
        await rig.settle(flight, "?")
    assert await granted(rig) == 0, "what may have been sent stays charged"
    await rig.check(campaign)


async def test_a_repeat_that_may_be_a_message_more_is_paid_for_and_one_that_cannot_be_is_not(rig: Rig) -> None:
    """With a campaign that would rather send twice, at a carrier of which nobody knows that it heeds the key."""
    await rig.pool(2)
    campaign = await push(rig, 5, 4000 * 7, on_unknown="retry")
    for flight in await rig.take_all(5):
        await rig.settle(flight, "?")
    await rig.look_now()
    flight = await rig.repeat(honoured=False)
    assert len(flight.grants) == 2, "it has no more"
    await rig.look_now()
    assert (await rig.repeat(honoured=False)).grants == []
    await rig.settle(flight, "?", 0, flags=NOT_SPENT)
    assert await left(rig, campaign) == 4000, "that one was provably not sent"
    await rig.settle(flight, "?", 1)
    assert await left(rig, campaign) == 4000
    await rig.look_now()
    assert len((await rig.repeat()).grants) == 5
    assert await left(rig, campaign) == 4000
    await rig.check(campaign)


async def test_what_is_given_back_whole_is_charged_once(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 5, 4000 * 5)
    for _ in range(3):
        flights = await rig.take_all(5)
        for flight in flights:
            await rig.outbox.dispatch.release(flight.token)
        assert await left(rig, campaign) == 20_000
    await rig.check(campaign)


async def test_what_a_server_has_forgotten_to_have_granted_is_charged_again(rig: Rig) -> None:
    """Its workers tell it what they took: that was sent, or may have been."""
    await rig.pool(2)
    campaign, hand = await push(rig, 50, 4000 * 10), Hand(rig)
    earlier = await dump(rig)
    flight = await hand.take(4)
    await roll_back(rig, earlier, hand)
    assert await left(rig, campaign) == 40_000
    await hand.recover()
    assert await left(rig, campaign) == 40_000 - 4000 * len(flight.grants)
    await hold_is_over(rig)
    assert len(flight.grants) + await granted(rig) == 10
    await rig.check(campaign, forgetful=True)


async def test_another_budget_holds_at_once(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 50, 4000 * 10)
    other = await rig.push(chunk_of(people(20, 500)))
    assert await granted(rig) == 30, "others are not held up"
    await rig.outbox.change(campaign.id, budget=Decimal("0.06"))
    assert await granted(rig) == 5
    await rig.outbox.change(campaign.id, budget=Decimal("0.01"))
    assert await granted(rig) == 0
    await rig.outbox.change(campaign.id, budget=None)
    assert await granted(rig) == 35
    await rig.check(campaign, other)


async def test_a_first_budget_knows_what_was_spent_before(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 50, 0)
    flights = [await rig.take(20)]
    for flight in flights:
        await rig.settle(flight, "a", *range(0, len(flight.grants), 2))
    await rig.settle(flights[0], "x", 1)
    await rig.outbox.change(campaign.id, budget=Decimal("0.1"))
    n = len(flights[0].grants) - 1
    assert await left(rig, campaign) == 100_000 - n * 4000
    assert await granted(rig) == 25 - n
    await rig.check(campaign)


async def test_what_comes_back_while_a_first_budget_is_counted_does_not_widen_it(rig: Rig) -> None:
    """It is not charged any more when somebody looks, so it has nothing to give back."""
    await rig.pool(2)
    campaign = await push(rig, 50, 0)
    flight = await rig.take(20)
    n = len(flight.grants)
    await rig.outbox.scripts.durable("change", campaign.id, "b=100000", "", "", "{}", b"")
    await rig.settle(flight, "x", *range(4))
    assert await granted(rig) == 0, "it stands still until that is known"
    await budget.begin_first(rig.outbox.scripts, campaign.id)
    assert await left(rig, campaign) == 100_000 - (n - 4) * 4000
    await rig.settle(flight, "x", 4)
    assert await left(rig, campaign) == 100_000 - (n - 5) * 4000
    await rig.check(campaign)


async def test_what_was_counted_for_a_budget_that_was_lifted_meanwhile_is_not_counted_for_the_next(rig: Rig) -> None:
    """Somebody counts slowly; while they do the budget is lifted, more is sent, and it gets another one."""
    await rig.pool(2)
    campaign = await push(rig, 50, 0)
    await rig.outbox.scripts.durable("change", campaign.id, "b=100000", "", "", "{}", b"")
    slow = await rig.redis.hget(rig.keys.campaign(campaign.id), "bn")
    await rig.outbox.change(campaign.id, budget=None)
    n = len((await rig.take(20)).grants)
    assert 2 <= n <= 20
    await rig.outbox.scripts.durable("change", campaign.id, "b=100000", "", "", "{}", b"")
    await rig.outbox.scripts.durable("spent", campaign.id, "", 0, slow or b"")
    assert await granted(rig) == 0, "what was spent before this budget is not known yet"
    await limits.counted(rig.outbox, campaign.id)
    assert await left(rig, campaign) == 100_000 - n * 4000
    assert await granted(rig) == 25 - n
    await rig.check(campaign)


async def test_the_carriers_own_price_counts_once_it_is_known(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 50, 4000 * 10)
    assert await granted(rig) == 10
    await limits.cost_differs(rig.outbox, campaign.id, -9000)
    assert await granted(rig) == 2
    await limits.cost_differs(rig.outbox, campaign.id, 50_000)
    assert await granted(rig) == 0
    assert await left(rig, campaign) == 40_000 - 48_000 - 50_000


async def test_what_is_left_and_is_too_little_for_the_next_message_wakes_nobody(rig: Rig) -> None:
    """Somebody tells each second what the carrier asked for; that is news only where the next message may go by it."""
    await rig.pool(2)
    campaign = await push(rig, 50, 4000 * 10 + 3999)
    assert await granted(rig) == 10
    for micros in (0, 0, 1, 0):
        await limits.cost_differs(rig.outbox, campaign.id, micros)
        assert "asleep" not in await rig.left()
    assert await granted(rig) == 0
    await limits.cost_differs(rig.outbox, campaign.id, -1)
    assert "asleep" in await rig.left()
    assert await granted(rig) == 1
    await rig.check(campaign)


async def test_each_country_has_its_price(rig: Rig) -> None:
    await rig.pool(2)
    chunk = Chunk([*people(5), *british(5)], None, [], bytes([1]) * 10, bytes(10), [4000] * 5 + [50_000] * 5)
    campaign = await rig.open(chunk, budget_micros=5 * 4000 + 2 * 50_000 + 49_999)
    await rig.outbox.seal(campaign, key_ttl_s=60, prices={"US": 4000, "GB": 50_000})
    await rig.plan(campaign, 0, chunk)
    assert await granted(rig) == 7
    assert await left(rig, campaign) == 49_999


async def test_a_campaign_whose_prices_are_not_known_gets_no_budget(rig: Rig) -> None:
    await rig.pool(1)
    old = await rig.push(chunk_of(people(2)))
    unpriced = await rig.open(chunk_of(people(2)), unpriced=2)
    await rig.outbox.seal(unpriced, key_ttl_s=60, prices=PRICES)
    for campaign in (old, unpriced):
        with pytest.raises(UnusableInput, match="can have no budget"):
            await rig.outbox.change(campaign.id, budget=Decimal(1))
