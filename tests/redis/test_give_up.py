"""Campaigns that would rather lose a message than send it twice: what is unknown for long is closed, and counted."""

from tests.redis.conftest import Rig, receipt

HOUR_US = 3_600_000_000
END = "9999999999999-0"


async def test_hold_and_retry_are_never_given_up(rig: Rig) -> None:
    await rig.pool()
    for policy in ("hold", "retry"):
        await rig.unknown(on_unknown=policy)
    await rig.age(1000 * HOUR_US)
    assert await rig.outbox.chores.give_up(24 * HOUR_US, 100) == 0


async def test_what_is_given_up_stays_unknown_and_its_campaign_ends(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(3, on_unknown="give-up")
    assert await rig.outbox.chores.give_up(24 * HOUR_US, 100) == 0, "before its time"
    await rig.age(24 * HOUR_US)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 1)])
    assert await rig.outbox.retire([campaign.id], END) == 0
    assert (await rig.repeat()).grants == []
    assert await rig.outbox.chores.give_up(24 * HOUR_US, 1) == 1
    assert await rig.outbox.retire([campaign.id], END) == 0, "one is still open"
    await rig.check(campaign)
    assert await rig.outbox.chores.give_up(24 * HOUR_US, 100) == 1
    assert await rig.states(campaign) == "?a?"
    assert [move for move in await rig.told() if move[0] == "give_up"] == [
        ("give_up", campaign.id, 0, n, "?") for n in (0, 2)
    ]
    assert await rig.tallies(campaign) == {"gu": 2, "pt": 0, "rf": 0}
    await rig.check(campaign)
    assert await rig.outbox.retire([campaign.id], END) == 1
    assert await rig.left() & {"live", "chunk", "states", "unknown", "doubts"} == set()


async def test_a_receipt_after_giving_up_counts_while_its_chunk_is_there(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2, on_unknown="give-up")
    await rig.age(24 * HOUR_US)
    await rig.outbox.chores.give_up(24 * HOUR_US, 100)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 0)] * 2)
    assert await rig.states(campaign) == "a?"
    assert (await rig.tallies(campaign))["gu"] == 1
    await rig.check(campaign)
    assert await rig.outbox.retire([campaign.id], END) == 1


async def test_a_chunk_with_one_given_up_and_one_held_back_stays(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2, on_unknown="give-up")
    await rig.age(24 * HOUR_US)
    flight = await rig.repeat(give_up_s=48 * 3600)
    assert flight.grants == []  # 23 h are over
    await rig.age(22 * HOUR_US)
    flight = await rig.repeat(1)
    await rig.age(24 * HOUR_US)
    assert await rig.outbox.chores.give_up(24 * HOUR_US, 100) == 1
    assert await rig.outbox.retire([campaign.id], END) == 0, "a repeat of it flies"
    await rig.check(campaign)
    await rig.settle(flight, "a")
    assert await rig.outbox.retire([campaign.id], END) == 1


async def test_an_unproved_repeat_that_was_reaped_or_given_up_is_possibly_twice_too(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2, on_unknown="retry")
    await rig.repeat(honoured=False, life_s=-1)
    await rig.outbox.chores.reap(10)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 0)])
    assert (await rig.tallies(campaign))["pt"] == 1
    await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"ou": "g"})
    await rig.age(24 * HOUR_US)
    await rig.outbox.chores.give_up(24 * HOUR_US, 100)
    assert await rig.tallies(campaign) == {"gu": 1, "pt": 2, "rf": 0}
