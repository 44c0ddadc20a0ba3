"""reap and receipts: what nobody settled is unknown, never ready; what the carrier says it had is submitted."""

import asyncio
import itertools

import pytest

from tests.redis.conftest import Rig, chunk_of, people, receipt

OVERDUE_S = -1.0


async def test_a_flight_that_nobody_settles_becomes_unknown_and_never_ready(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    flight = await rig.take(life_s=OVERDUE_S)
    await rig.settle(flight, "a", 1)
    assert await rig.outbox.chores.reap(10) == 2
    assert await rig.states(campaign) == "?a?"
    assert await rig.told() == [("reap", campaign.id, 0, n, "?") for n in (0, 2)]
    assert (await rig.take()).grants == []
    assert await rig.left() & {"flight", "flights"} == set()
    await rig.check(campaign)


async def test_a_flight_in_its_time_is_left_alone(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rig.take(life_s=60)
    assert await rig.outbox.chores.reap(10) == 0
    assert await rig.states(campaign) == "sss"


async def test_reaping_is_bounded_and_goes_on(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(5)))
    for _ in range(5):
        await rig.take(1, life_s=OVERDUE_S)
    assert [await rig.outbox.chores.reap(2) for _ in range(4)] == [2, 2, 1, 0]
    await rig.check(campaign)


@pytest.mark.parametrize("state", [".", "a", "x", "?"])
async def test_who_comes_back_after_the_reaper_settles_nothing(rig: Rig, state: str) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    flight = await rig.take(life_s=OVERDUE_S)
    await rig.outbox.chores.reap(10)
    assert await rig.settle(flight, state) == "-"
    assert await rig.counts(campaign) == {"unknown": 1}


async def test_what_is_unknown_survives_cancel_and_expiry(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    await rig.take(1, life_s=OVERDUE_S)
    await rig.outbox.chores.reap(10)
    await rig.outbox.cancel(campaign.id)
    assert await rig.counts(campaign) == {"unknown": 1, "cancelled": 1}
    await rig.check(campaign)


async def test_a_receipt_makes_an_unknown_message_submitted(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    flight = await rig.take()
    await rig.settle(flight, "?")
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 1)])
    assert await rig.states(campaign) == "?a?"
    await rig.check(campaign)


async def test_a_receipt_may_come_twice_and_in_any_company(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rig.settle(await rig.take(), "?")
    strange = [receipt("", 0, 0), receipt("0" * 16, 0, 0), receipt(campaign.id, 0, 99), receipt(campaign.id, 7, 0)]
    for _ in range(2):
        await rig.outbox.apply_receipts([*strange, receipt(campaign.id, 0, 0), receipt(campaign.id, 0, 0)])
    assert await rig.states(campaign) == "a??"
    await rig.check(campaign)


@pytest.mark.parametrize("order", sorted(set(itertools.permutations(["settle", "receipt", "receipt", "reap"]))))
@pytest.mark.parametrize("settled", ["a", "?"])
async def test_receipt_settle_and_reap_come_to_the_same_in_any_order(
    rig: Rig, order: tuple[str, ...], settled: str
) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    flight = await rig.take(life_s=OVERDUE_S)
    for step in order:
        if step == "settle":
            await rig.settle(flight, settled)
        elif step == "reap":
            await rig.outbox.chores.reap(10)
        else:
            await rig.outbox.apply_receipts([receipt(campaign.id, 0, n) for n in (0, 1)])
        await rig.check(campaign)
    assert await rig.counts(campaign) == {"submitted": 2}


async def test_a_message_that_a_receipt_has_told_of_is_not_sent_again(rig: Rig) -> None:
    """Whatever its worker makes of the answer: the carrier has it."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    flight = await rig.take()
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 0)])
    assert await rig.settle(flight, ".", delay_us=1000) == "a.."
    await asyncio.sleep(0.01)
    assert people(1)[0] not in [g.to for f in await rig.take_all(2) for g in f.grants]
    await rig.check(campaign)


async def test_a_receipt_after_a_cancel_still_counts(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    flight = await rig.take()
    await rig.outbox.cancel(campaign.id)
    await rig.settle(flight, ".")
    assert await rig.counts(campaign) == {"cancelled": 1}
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 0)])
    assert await rig.counts(campaign) == {"submitted": 1}


async def test_receipts_reach_the_ledger_even_when_they_change_nothing(rig: Rig) -> None:
    await rig.outbox.apply_receipts([receipt("", 0, 0)])
    [(_, fields)] = await rig.redis.xrange(rig.keys.ledger)  # type: ignore[attr-defined]
    assert fields[b"k"] == b"receipts"


async def test_the_last_receipt_lets_the_chunk_go(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    await rig.settle(await rig.take(), "?")
    assert await rig.outbox.retire([campaign.id], "9999999999999-0") == 0
    for n in (0, 1):
        await rig.outbox.apply_receipts([receipt(campaign.id, 0, n)])
    assert await rig.outbox.retire([campaign.id], "9999999999999-0") == 1


async def test_what_was_heard_is_forgotten_when_no_flight_can_need_it_any_more(rig: Rig) -> None:
    """It weighs more than all else that a sent message leaves behind."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(4)))
    await rig.take(2, life_s=OVERDUE_S)
    await rig.take(2)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, n) for n in range(4)])
    heard = rig.keys.of("heard")
    minutes = dict(zip(await rig.redis.zrange(heard, 0, -1), (11, 11, 11, 9), strict=True))
    now = await rig.now_us()
    await rig.redis.zadd(heard, {spot: now - age * 60_000_000 for spot, age in minutes.items()})
    assert await rig.outbox.chores.reap(1) == 2
    assert await rig.states(campaign) == "aass"
    assert await rig.redis.zcard(heard) == 4, "there may be more that are overdue, and what was heard decides them"
    await rig.outbox.chores.reap(10)
    assert await rig.redis.zrange(heard, 0, -1) == [spot for spot, age in minutes.items() if age == 9]


async def test_a_message_that_redis_forgot_to_have_sent_is_not_sent_again_once_its_receipt_is_here(rig: Rig) -> None:
    """After a rollback of Redis a message may be ready again although the carrier has it."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 0)])
    assert await rig.states(campaign) == "a."
    assert [grant.offset for grant in (await rig.take()).grants] == [1]
