"""plan: each message of a chunk into one lane, once."""

import pytest

from tests.redis.conftest import Rig, chunk_of, people, sender
from volley.outbox.flights import REF


async def owners(rig: Rig) -> set[str]:
    return {name.split(":")[1] for name in await rig.ids("lane")}


async def test_a_plan_that_runs_twice_plans_once(rig: Rig) -> None:
    await rig.pool()
    chunk = chunk_of(people(5))
    campaign = await rig.push(chunk, plan=False)
    assert await rig.plan(campaign, 0, chunk)
    assert not await rig.plan(campaign, 0, chunk)
    await rig.check(campaign)
    assert len((await rig.take()).grants) == 5


async def test_chunks_are_planned_in_order_only(rig: Rig) -> None:
    await rig.pool()
    chunks = [chunk_of(people(2)), chunk_of(people(2, 2))]
    campaign = await rig.push(*chunks, plan=False)
    assert not await rig.plan(campaign, 1, chunks[1])
    await rig.check(campaign)
    assert await rig.plan(campaign, 0, chunks[0])
    assert await rig.plan(campaign, 1, chunks[1])
    assert not await rig.plan(campaign, 2, chunks[1])
    await rig.check(campaign)


async def test_a_planned_campaign_wants_no_more_planning(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(2)))
    assert (await rig.take(low_water=1000)).hungry == []
    assert await rig.redis.zrange(rig.keys.of("unplanned"), 0, -1) == []


async def test_a_campaign_whose_lanes_run_low_wants_its_next_chunk(rig: Rig) -> None:
    await rig.pool()
    chunks = [chunk_of(people(20)), chunk_of(people(2, 20))]
    campaign = await rig.push(*chunks, plan=False)
    await rig.plan(campaign, 0, chunks[0])
    assert (await rig.take(5, low_water=10)).hungry == []
    assert (await rig.take(6, low_water=10)).hungry == [campaign.id]


async def test_an_idle_sender_asks_for_planning_however_much_waits_for_others(rig: Rig) -> None:
    await rig.pool(2, rate=0.1)
    chunks = [chunk_of(people(1)), chunk_of(people(20, 1)), chunk_of(people(2, 30))]
    campaign = await rig.push(*chunks, plan=False)
    await rig.plan(campaign, 0, chunks[0])
    [grant] = (await rig.take()).grants
    assert grant.sender in (1, 2)
    assert (await rig.take()).hungry == [campaign.id]


@pytest.mark.parametrize("to", ["c", "e"])
async def test_what_is_over_is_not_planned(rig: Rig, to: str) -> None:
    await rig.pool()
    chunk = chunk_of(people(2))
    campaign = await rig.push(chunk, plan=False)
    await rig.outbox.sweep(campaign.id, to)
    assert not await rig.plan(campaign, 0, chunk)
    assert await rig.ids("lane") == {}
    assert not (await rig.outbox.dispatch.plan("no-such-campaign", 0, b""))[0]


async def test_a_paused_campaign_may_be_planned_and_is_not_sent(rig: Rig) -> None:
    await rig.pool()
    chunk = chunk_of(people(2))
    campaign = await rig.push(chunk, plan=False)
    await rig.outbox.pause(campaign.id)
    assert await rig.plan(campaign, 0, chunk)
    assert (await rig.take()).grants == []
    await rig.outbox.resume(campaign.id)
    await rig.check(campaign)
    assert len((await rig.take()).grants) == 2


async def test_pinned_people_wait_for_their_sender_and_others_for_anybody(rig: Rig) -> None:
    await rig.pool(3)
    await rig.push(chunk_of(people(3)))
    pinned = {g.to: g.sender for g in (await rig.take()).grants}
    await rig.push(chunk_of(people(4)))
    assert await owners(rig) == {f"s{n}" for n in pinned.values()} | {"c1.any"}


async def test_an_explicit_sender_has_all_of_its_campaign(rig: Rig) -> None:
    await rig.pool(3)
    await rig.push(chunk_of(people(3)), sender=sender(1).number)
    assert await owners(rig) == {"s2"}
    assert {g.sender for g in (await rig.take()).grants} == {2}


async def test_people_without_a_pin_are_spread_over_the_types_by_weight(rig: Rig) -> None:
    kinds = [sender(0), sender(1, type="toll_free")]
    await rig.sync(kinds, {"long_code": 3, "toll_free": 1})
    await rig.rate("a", 1000)
    await rig.push(*(chunk_of(people(400, 400 * k)) for k in range(5)))
    sizes = {
        name.split(":")[1]: await rig.redis.execute_command("LLEN", key)
        for name, key in (await rig.ids("lane")).items()
    }
    assert set(sizes) == {"c1.long_code", "c1.toll_free"}
    assert 0.70 < sizes["c1.long_code"] / 2000 < 0.80


async def test_a_ref_in_a_lane_names_the_message_and_its_parts(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(1), parts=7), chunk_of(people(1, 1), parts=2))
    [key] = (await rig.ids("lane")).values()
    found = await rig.redis.lrange(key, 0, -1)  # type: ignore[attr-defined]
    assert [REF.unpack(ref) for ref in found] == [(0, 0, 7, 0, 0, 0, people(1)[0]), (1, 0, 2, 0, 0, 0, people(1, 1)[0])]
