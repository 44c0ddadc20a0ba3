"""Campaigns that would rather lose a message than send it twice: what is unknown for long is closed, and counted."""

import pytest

from tests.redis.conftest import Rig, receipt
from volley.errors import UnusableInput
from volley.outbox.doubts import change_policy, of_message, waits_for

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


async def test_a_running_campaign_may_change_its_mind_about_what_is_unknown(rig: Rig) -> None:
    await rig.pool()
    campaign, other = await rig.unknown(3), await rig.unknown(1)
    assert (await rig.repeat(honoured=False)).grants == []
    assert await change_policy(rig.outbox.scripts, campaign.id, "retry") == 3
    flight = await rig.repeat(honoured=False)
    assert [grant.campaign for grant in flight.grants] == [campaign.id] * 3
    assert await change_policy(rig.outbox.scripts, campaign.id, "give-up") == 3
    await rig.check(campaign, other)
    await rig.settle(flight, "?")
    await rig.age(24 * HOUR_US)
    assert await rig.outbox.chores.give_up(24 * HOUR_US, 100) == 3
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert (view.on_unknown, view.possibly_lost, view.possibly_twice) == ("give-up", 3, 3)
    with pytest.raises(UnusableInput):
        await change_policy(rig.outbox.scripts, "0" * 16, "hold")


async def test_an_unknown_message_says_what_it_waits_for(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(1)
    [doubt] = await rig.doubts(campaign)
    assert await of_message(rig.redis, rig.keys, doubt.place) == doubt
    now_us = await rig.now_us()

    def waits(state: str = "ready", policy: str = "hold", honoured: bool = False, later_us: int = 0) -> str:
        return waits_for(doubt, state, policy, honoured=honoured, now_us=now_us + later_us)  # type: ignore[arg-type]

    assert "probe-idempotency" in waits()
    assert "asked again, with the same key" in waits(honoured=True)
    assert "asked again, with the same key" in waits(policy="retry")
    assert "cancelled" in waits("cancelled", honoured=True)
    assert "resumed" in waits("paused", honoured=True)
    assert "too old" in waits(honoured=True, later_us=24 * HOUR_US)
    await rig.repeat()
    [doubt] = await rig.doubts(campaign)
    assert "at this moment" in waits()
