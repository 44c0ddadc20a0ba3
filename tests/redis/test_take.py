"""take: who gets what, under one fence, and what it looks at once more before it grants."""

import asyncio

import pytest

from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people, sender
from volley.outbox.outbox import Outbox
from volley.outbox.views import pins
from volley.state import STATUS


async def test_each_message_is_granted_once(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(30)), chunk_of(people(30, 30)))
    flights = await rig.take_all(60)
    granted = [g.to for flight in flights for g in flight.grants]
    assert sorted(granted) == people(60)
    assert await rig.states(campaign) == "s" * 60
    await rig.check(campaign)


async def test_a_take_grants_no_more_than_was_wanted(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(30)))
    assert len((await rig.take(7)).grants) == 7
    await rig.check(campaign)


async def test_a_flight_knows_where_each_message_stands(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3), parts=4))
    flight = await rig.take()
    assert [g.position for g in flight.grants] == [0, 1, 2]
    for grant in flight.grants:
        assert (grant.campaign, grant.chunk, grant.parts) == (campaign.id, 0, 4)
        assert (grant.attempt, grant.spent, grant.generation) == (1, 1, 0)
        assert grant.to == people(3)[grant.offset]
        assert grant.moment_us >= flight.now_us


async def test_the_same_person_gets_the_same_sender(rig: Rig) -> None:
    await rig.pool(5)
    await rig.push(chunk_of(people(200)))
    first = {g.to: g.sender for f in await rig.take_all(200) for g in f.grants}
    assert len(set(first.values())) == 5
    await rig.push(chunk_of(people(200)[::-1]))
    assert {g.to: g.sender for f in await rig.take_all(200) for g in f.grants} == first
    assert await pins(rig.redis, rig.keys) == {(1, to): idx for to, idx in first.items()}


async def test_two_messages_to_one_person_in_two_campaigns_have_one_sender(rig: Rig) -> None:
    """The second was planned before the first had a pin: take looks again."""
    await rig.pool(5)
    one, two = await rig.push(chunk_of(people(40))), await rig.push(chunk_of(people(40)))
    held: dict[int, set[int]] = {}
    for flight in await rig.take_all(80):
        for grant in flight.grants:
            held.setdefault(grant.to, set()).add(grant.sender)
        await rig.check(one, two)
    assert all(len(senders) == 1 for senders in held.values())


async def test_a_person_who_opted_out_meanwhile_gets_nothing(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rig.outbox.add_optouts(PROFILE, people(2))
    assert [g.to for g in (await rig.take()).grants] == people(1, 2)
    assert await rig.counts(campaign) == {"opted_out": 2, "sending": 1}
    assert await rig.told() == [("opt_out", campaign.id, 0, n, "o") for n in (0, 1)]
    await rig.check(campaign)


async def test_when_all_opted_out_the_chunk_may_go(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    await rig.outbox.add_optouts(PROFILE, people(2))
    await rig.take()
    assert await rig.outbox.retire([campaign.id], "9999999999999-0") == 1


@pytest.mark.parametrize("state", sorted(set(STATUS) - {"."}))
async def test_a_ref_to_what_is_not_ready_is_passed_over(rig: Rig, state: str) -> None:
    """However it came to stand in a lane: a bug, or a server that lost a write."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    await rig.redis.set(rig.keys.states(campaign.id, 0), f"{state}.")
    assert [g.to for g in (await rig.take()).grants] == people(1, 1)
    assert await rig.states(campaign) == f"{state}s"


async def test_a_ref_that_stands_twice_is_granted_once(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(1)))
    [key] = (await rig.ids("lane")).values()
    [ref] = await rig.redis.lrange(key, 0, -1)  # type: ignore[attr-defined]
    await rig.redis.execute_command("RPUSH", key, ref, ref)
    assert len((await rig.take()).grants) == 1
    assert (await rig.take()).grants == []


async def test_a_paused_campaign_is_granted_nothing_and_a_resumed_one_goes_on(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(30)))
    await rig.take(10)
    assert await rig.outbox.pause(campaign.id) == 10
    assert [(await rig.take()).grants for _ in range(2)] == [[], []]
    await rig.outbox.resume(campaign.id)
    await rig.check(campaign)
    assert len((await rig.take()).grants) == 20


async def test_an_expired_campaign_is_granted_nothing_even_before_the_sweep(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(3)), expires_us=1)
    assert (await rig.take()).grants == []


async def test_urgent_goes_before_bulk(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(20)))
    urgent = await rig.push(chunk_of(people(5, 100)), priority="urgent")
    granted = [g.campaign for g in (await rig.take(10)).grants]
    assert granted[:5] == [urgent.id] * 5
    assert urgent.id not in granted[5:]


async def test_urgent_may_go_while_bulk_has_used_up_its_horizon(rig: Rig) -> None:
    await rig.pool(2, rate=10, account=20)
    await rig.push(chunk_of(people(50)))
    while (await rig.take()).grants:
        pass
    urgent = await rig.push(chunk_of(people(1, 100)), priority="urgent")
    assert [g.campaign for g in (await rig.take(1)).grants] == [urgent.id]


async def test_campaigns_share_a_sender_by_weight(rig: Rig) -> None:
    await rig.pool(1, rate=100_000, account=100_000)
    light = await rig.push(chunk_of(people(300)), weight=1)
    heavy = await rig.push(chunk_of(people(300, 300)), weight=3)
    granted = [g.campaign for _ in range(2) for g in (await rig.take()).grants]
    assert abs(granted.count(heavy.id) - 150) <= 2
    assert granted.count(light.id) == 200 - granted.count(heavy.id)


async def test_a_share_is_counted_in_parts(rig: Rig) -> None:
    await rig.pool(1, rate=100_000, account=100_000)
    long = await rig.push(chunk_of(people(300), parts=4))
    await rig.push(chunk_of(people(300, 300), parts=1))
    granted = [g.campaign for _ in range(2) for g in (await rig.take()).grants]
    assert abs(granted.count(long.id) - 40) <= 2


async def test_many_campaigns_at_one_lane_all_get_a_share(rig: Rig) -> None:
    await rig.pool(1, rate=100_000, account=100_000)
    all_ = [await rig.push(chunk_of(people(60, 100 * n))) for n in range(40)]
    granted = [g.campaign for f in await rig.take_all(2400) for g in f.grants]
    half = granted[:1200]
    # a take of 100 looks at 16 campaigns, so each may be one such turn ahead or behind
    assert {half.count(c.id) for c in all_} <= set(range(30 - 8, 30 + 9))


async def test_a_newcomer_does_not_catch_up_what_it_missed(rig: Rig) -> None:
    await rig.pool(1, rate=100_000, account=100_000)
    old = await rig.push(chunk_of(people(400)))
    await rig.take()
    new = await rig.push(chunk_of(people(400, 400)))
    granted = [g.campaign for g in (await rig.take()).grants]
    assert abs(granted.count(old.id) - granted.count(new.id)) <= 2


async def test_an_explicit_sender_is_never_replaced(rig: Rig) -> None:
    await rig.pool(3)
    await rig.push(chunk_of(people(20)))
    pinned = {g.to: g.sender for g in (await rig.take()).grants}
    await rig.push(chunk_of(people(20)), sender=sender(0).number)
    assert {g.sender for f in await rig.take_all(20) for g in f.grants} == {1}
    assert await pins(rig.redis, rig.keys) == {(1, to): idx for to, idx in pinned.items()}


async def test_pins_belong_to_a_profile(rig: Rig) -> None:
    await rig.pool(1)
    await rig.sync([sender(50, profile=OTHER_PROFILE)], profile=OTHER_PROFILE)
    await rig.push(chunk_of(people(3)))
    await rig.push(chunk_of(people(3)), profile=OTHER_PROFILE)
    granted = [(g.sender, g.to) for f in await rig.take_all(6) for g in f.grants]
    assert sorted(granted) == [(idx, to) for idx in (1, 2) for to in people(3)]


async def test_take_waits_while_the_ledger_is_behind(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(3)))
    narrow = Rig(Outbox(rig.redis, "test", ledger_bound=0))
    flight = await narrow.take()
    assert (flight.grants, flight.why) == ([], "ledger")


async def test_with_nothing_to_do_take_says_idle(rig: Rig) -> None:
    await rig.pool()
    assert (await rig.take()).why == "idle"
    campaign = await rig.push(chunk_of(people(1)))
    assert (await rig.take()).why == ""
    await rig.take()
    assert (await rig.take()).why == "idle"
    await rig.check(campaign)


@pytest.mark.parametrize("end", ["pause", "cancel"])
async def test_a_campaign_that_stops_leaves_no_work_behind(rig: Rig, end: str) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(2)))
    pinned = await rig.take()
    assert len(pinned.grants) == 2
    campaign = await rig.push(chunk_of(people(5)))
    await getattr(rig.outbox, end)(campaign.id)
    for _ in range(3):
        flight = await rig.take()
    assert (flight.grants, flight.why) == ([], "idle")
    assert await rig.left() & {"busy", "shared", "active", "ready"} == set()
    await rig.check(campaign)


async def test_a_pin_that_is_too_old_is_not_honoured(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(1)))
    [grant] = (await rig.take()).grants
    [key] = (await rig.ids("pin")).values()
    today = await rig.now_us() // 86_400_000_000
    for age, kept in ((8, True), (9, False)):
        await rig.redis.hset(key, mapping={grant.to.to_bytes(8): grant.sender * 100_000 + today - age})
        await rig.push(chunk_of(people(1)))
        owners = {name.split(":")[1] for name in await rig.ids("lane")}
        assert owners == ({f"s{grant.sender}"} if kept else {"c1.any"})
        await rig.settle(await rig.take(), "a")


async def test_a_grant_makes_a_pin_young_again(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(1)))
    await rig.take()
    [key] = (await rig.ids("pin")).values()
    today = await rig.now_us() // 86_400_000_000
    await rig.redis.hset(key, mapping={people(1)[0].to_bytes(8): 100_000 + today - 5})
    await rig.push(chunk_of(people(1)))
    await rig.take()
    assert await rig.redis.hvals(key) == [b"%d" % (100_000 + today)]


async def test_what_rests_comes_back_at_its_time_and_ahead_of_the_others(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(5)))
    flight = await rig.take(1)
    await rig.settle(flight, ".", delay_us=500_000)
    await rig.check(campaign)
    assert [g.to for g in (await rig.take(1)).grants] == people(1, 1)
    await asyncio.sleep(0.51)
    assert [g.to for g in (await rig.take(2)).grants] == [people(1)[0], people(1, 2)[0]]
    await rig.check(campaign)


async def test_what_was_cancelled_while_it_rested_does_not_come_back(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(2)))
    await rig.settle(await rig.take(), ".", delay_us=1000)
    await rig.outbox.cancel(campaign.id)
    await asyncio.sleep(0.01)
    assert (await rig.take()).grants == []
    assert await rig.counts(campaign) == {"cancelled": 2}
    assert await rig.left() & {"later", "lane", "ready"} == set()


async def test_a_campaign_that_is_being_swept_takes_nothing_back_into_its_lanes(rig: Rig) -> None:
    """A sweep of many chunks takes several calls; between them a rest may end."""
    await rig.pool(1)
    campaign = await rig.push(*(chunk_of(people(1, k)) for k in range(3)))
    await rig.settle(await rig.take(), ".", delay_us=1000)
    await asyncio.sleep(0.01)
    await rig.outbox.scripts.run("sweep", " ".join([".c", ".e"]), campaign.id, "c", 1)
    await rig.take()
    assert await rig.ids("lane") == {}
