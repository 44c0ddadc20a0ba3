"""What is tampered with is named; what moves is not. Each test breaks one thing by hand that no script would."""

import asyncio
import random

from tests.redis.conftest import Rig, chunk_of, people
from volley.campaign import Campaign
from volley.message import MessageId
from volley.outbox.conservation import Breach, judged
from volley.outbox.doubts import spot
from volley.outbox.flights import OTHER_SENDER
from volley.outbox.snapshot import snapshot
from volley.outbox.standing import standing, standings


async def look(rig: Rig, campaign: Campaign) -> dict[str, Breach]:
    seen = await snapshot(rig.outbox, campaign.id)
    assert seen is not None
    return {breach.kind: breach for breach in judged(seen)}


async def lane_of(rig: Rig, campaign: Campaign) -> bytes:
    """A lane of the campaign that holds something."""
    return next(key for name, key in (await rig.ids("lane")).items() if name.startswith(campaign.id))


async def some(rig: Rig, planned: bool = True) -> Campaign:
    await rig.pool()
    return await rig.push(chunk_of(people(30)), chunk_of(people(30, 30)), plan=planned)


async def test_an_untouched_campaign_is_well(rig: Rig) -> None:
    assert await look(rig, await some(rig)) == {}
    assert await look(rig, await rig.push(chunk_of(people(5)), plan=False)) == {}


async def test_a_ref_that_was_dropped_from_its_lane_is_named(rig: Rig) -> None:
    campaign = await some(rig)
    await rig.redis.lpop(await lane_of(rig, campaign))  # type: ignore[attr-defined]
    found = await look(rig, campaign)
    assert set(found) == {"nowhere", "lane_count"}
    assert len(found["nowhere"].messages) == 1
    assert found["nowhere"].ids[0].startswith(f"{campaign.id}-")
    assert found["nowhere"].ids[0] in found["nowhere"].words


async def test_a_ref_that_is_there_twice_is_named(rig: Rig) -> None:
    campaign = await some(rig)
    lane = await lane_of(rig, campaign)
    await rig.redis.rpush(lane, (await rig.redis.lrange(lane, 0, 0))[0])  # type: ignore[attr-defined]
    assert set(await look(rig, campaign)) == {"waits_twice", "lane_count"}


async def test_a_ref_of_a_chunk_that_is_still_to_be_planned_is_named(rig: Rig) -> None:
    campaign = await some(rig)
    await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"next": 1})
    found = await look(rig, campaign)
    assert {spot[0] for spot in found["waits_twice"].messages} == {1}
    assert len(found["waits_twice"].messages) == 30


async def test_a_counter_that_was_changed_is_named(rig: Rig) -> None:
    campaign = await some(rig)
    await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"na": 1})
    assert set(await look(rig, campaign)) == {"counters", "states"}
    await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"n.": 59})
    assert set(await look(rig, campaign)) == {"states"}  # the sum is right, and not what the strings hold
    await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"n.": 61, "na": -1})
    assert set(await look(rig, campaign)) == {"counters", "states"}


async def test_a_state_that_was_flipped_is_named(rig: Rig) -> None:
    campaign = await some(rig)
    await rig.redis.setrange(rig.keys.states(campaign.id, 1), 7, "s")  # type: ignore[attr-defined]
    found = await look(rig, campaign)
    assert found["not_flying"].ids == [f"{campaign.id}-1-7"]
    assert "states" in found


async def test_a_flight_that_is_gone_or_forgotten_by_the_reaper_is_named(rig: Rig) -> None:
    for key in ("flight", "flights"):
        campaign = await some(rig)
        flight = await rig.take(10)
        assert await look(rig, campaign) == {}
        token = flight.token
        if key == "flight":
            await rig.redis.delete(rig.keys.of("flight", token))
        else:
            await rig.redis.zrem(rig.keys.of("flights"), token)
        found = await look(rig, campaign)
        assert {*found["not_flying"].messages} == {(g.chunk, g.offset) for g in flight.grants}
        await rig.outbox.cancel(campaign.id)
        await rig.redis.flushall()  # type: ignore[attr-defined]


async def test_a_message_in_two_flights_or_in_one_and_ready_is_named(rig: Rig) -> None:
    campaign = await some(rig)
    flight = await rig.take(5)
    packed = await rig.redis.get(rig.keys.of("flight", flight.token))
    assert packed is not None
    await rig.redis.set(rig.keys.of("flight", "another"), packed)
    await rig.redis.zadd(rig.keys.of("flights"), {"another": 9e15})
    assert len((await look(rig, campaign))["flies_twice"].messages) == 5
    first = flight.grants[0]
    await rig.redis.setrange(rig.keys.states(campaign.id, first.chunk), first.offset, ".")  # type: ignore[attr-defined]
    assert (await look(rig, campaign))["flies_ready"].messages == ((first.chunk, first.offset),)


async def test_what_a_sweep_left_behind_is_named_and_what_it_has_yet_to_end_is_not(rig: Rig) -> None:
    campaign = await some(rig)
    await rig.outbox.scripts.run("sweep", "", campaign.id, "c", 0)
    assert await look(rig, campaign) == {}
    await rig.outbox.cancel(campaign.id)
    assert await look(rig, campaign) == {}
    await rig.redis.setrange(rig.keys.states(campaign.id, 0), 3, ".")  # type: ignore[attr-defined]
    assert (await look(rig, campaign))["nowhere"].ids == [f"{campaign.id}-0-3"]


async def test_places_are_not_read_where_there_are_too_many_and_states_are(rig: Rig) -> None:
    campaign = await some(rig)
    seen = await snapshot(rig.outbox, campaign.id, most=59)
    assert seen is not None
    assert seen.places is None
    assert judged(seen) == []
    window = await snapshot(rig.outbox, campaign.id, 1, 2)
    assert window is not None
    assert [*window.states] == [1]
    assert judged(window) == []
    assert await snapshot(rig.outbox, "0123456789abcdef") is None


async def test_the_sums_of_all_campaigns_are_read_at_once_and_of_one_alone(rig: Rig) -> None:
    await rig.pool()
    campaigns = [await rig.push(chunk_of(people(3, 10 * n)), plan=False) for n in range(3)]
    accepted: dict[str, int] = {"long gone": 9}
    found = await standings(rig.outbox, accepted)
    assert sorted(each.campaign for each in found) == sorted(each.id for each in campaigns)
    assert accepted == {each.id: 3 for each in campaigns}
    assert await standings(rig.outbox, accepted) == found
    assert all(each.moving and each.counters["."] == 3 for each in found)
    assert await standing(rig.outbox, campaigns[0].id) in found
    assert await standing(rig.outbox, "0123456789abcdef") is None


async def test_no_moment_of_a_busy_campaign_looks_broken(rig: Rig) -> None:
    """Takes, settles, retries, pauses and at last a cancel, while it is looked at as fast as that goes."""
    await rig.pool(count=5, rate=100_000, account=100_000)
    campaign = await rig.push(*(chunk_of(people(200, 200 * n)) for n in range(5)))
    busy = asyncio.create_task(everything(rig, campaign))
    looks = 0
    while not busy.done():
        assert await look(rig, campaign) == {}
        looks += 1
    await busy
    assert looks > 20


async def everything(rig: Rig, campaign: Campaign) -> None:
    dice = random.Random(7)
    for turn in range(60):
        flight = await rig.take(dice.choice([5, 50, 100]))
        for grant in flight.grants:
            state = dice.choice("aa.x?")
            await rig.settle(flight, state, grant.position, flags=OTHER_SENDER, delay_us=dice.choice([0, 9_000]))
        if turn % 9 == 4:
            await rig.outbox.pause(campaign.id)
            await rig.outbox.resume(campaign.id)
    await rig.outbox.cancel(campaign.id)


async def test_an_unknown_message_that_nobody_looks_after_is_named(rig: Rig) -> None:
    campaign = await some(rig)
    flight = await rig.take(5)
    await rig.settle(flight, "?")
    assert await look(rig, campaign) == {}
    first = MessageId(campaign.id, flight.grants[0].chunk, flight.grants[0].offset)
    await rig.redis.hdel(rig.keys.of("unknown"), spot(first))
    assert (await look(rig, campaign))["undoubted"].ids == [str(first)]
    await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"gu": 1})
    assert await look(rig, campaign) == {}
