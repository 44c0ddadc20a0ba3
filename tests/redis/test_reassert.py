"""A server that has forgotten the last moments: live workers tell it what they did, and nobody is reached twice.

Each test rolls the data back to an earlier dump and changes the run id that it remembers, as a restart or a failover does.
"""

import asyncio
import shutil
from pathlib import Path

import pytest
import redis.asyncio

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from tests.redis.hands import Hand, begin, dump, hold_is_over, roll_back
from volley.embedded import EmbeddedValkey
from volley.outbox.outbox import Outbox
from worker.next import Rest


@pytest.fixture
def hand(rig: Rig) -> Hand:
    return Hand(rig)


async def test_what_was_taken_and_forgotten_is_granted_to_nobody_else(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    earlier = await dump(rig)
    flight = await hand.take()
    assert len(flight.grants) == 5
    await roll_back(rig, earlier, hand)
    await hand.recover()
    await hold_is_over(rig)
    assert (await rig.take()).grants == []
    await rig.check(campaign)
    assert await hand.settle(flight, "a") == "aaaaa"
    await rig.check(campaign)


async def test_a_server_that_hears_nothing_grants_it_again(rig: Rig, hand: Hand) -> None:
    """The control of the tests here: it is the workers' word that prevents it."""
    await begin(rig)
    earlier = await dump(rig)
    await hand.take()
    await roll_back(rig, earlier, hand)
    await hold_is_over(rig)
    assert len((await rig.take()).grants) == 5


async def test_another_server_grants_nothing_and_gives_up_nothing_before_its_workers_had_time(rig: Rig) -> None:
    campaign = await begin(rig)
    await rig.take(2, life_s=-1)
    await roll_back(rig, await dump(rig))
    assert await rig.outbox.chores.reap(50) == 0
    held = await rig.take()
    assert (held.why, held.grants) == ("hold", [])
    assert 2_000_000 < int(await rig.redis.hget(rig.keys.of("server"), "until") or 0) - await rig.now_us() <= 3_000_000
    await hold_is_over(rig)
    assert await rig.outbox.chores.reap(50) == 2
    assert len((await rig.take()).grants) == 3
    await rig.check(campaign)


async def test_the_first_server_of_all_holds_nothing_and_one_that_came_with_campaigns_does(rig: Rig) -> None:
    await begin(rig)
    assert (await rig.take(1)).why == ""
    await rig.redis.delete(rig.keys.of("server"))
    assert (await rig.take(1)).why == "hold"


async def test_a_forgotten_outcome_is_known_again(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    flight = await hand.take()
    earlier = await dump(rig)
    assert await hand.settle(flight, "a", 0, 1) + await hand.settle(flight, "x", 2) == "aax"
    await roll_back(rig, earlier, hand)
    assert await rig.states(campaign) == "sssss"
    await hand.recover()
    assert await rig.states(campaign) == "aaxss"
    await rig.check(campaign)


async def test_a_forgotten_take_and_its_forgotten_outcomes_are_known_again(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    earlier = await dump(rig)
    flight = await hand.take()
    await hand.settle(flight, "a", 0)
    await hand.settle(flight, "?", 1)
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await rig.states(campaign) == "a?sss"
    assert await hand.settle(flight, "a", 2, 3, 4) == "aaa"
    await rig.check(campaign, forgetful=True)


async def test_what_was_not_forgotten_is_told_to_no_effect(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    flight = await hand.take()
    await hand.settle(flight, "a", 0, 1)
    await hand.settle(flight, ".", 2)
    await rig.redis.hset(rig.keys.of("server"), mapping={"run": "f" * 40})
    hand.memory.run = "f" * 40
    before = await rig.states(campaign)
    for _ in range(2):
        await hand.recovery.heard("0" * 40)
        hand.memory.run = "f" * 40
    await hand.recover()
    assert await rig.states(campaign) == before == "aa.ss"
    await rig.check(campaign)


MOMENTS = ["before the first take", "before it was given back", "before the second take", "after the second take"]


@pytest.mark.parametrize("moment", range(4), ids=MOMENTS)
@pytest.mark.parametrize("first", [True, False], ids=["first worker first", "second worker first"])
async def test_what_was_given_back_and_taken_by_another_stays_that_ones(rig: Rig, moment: int, first: bool) -> None:
    one, other = Hand(rig), Hand(rig)
    campaign = await begin(rig)
    dumps = [await dump(rig)]
    given_back = await one.take()
    dumps.append(await dump(rig))
    await one.give_back(given_back)
    dumps.append(await dump(rig))
    flight = await other.take()
    assert len(flight.grants) == 5
    dumps.append(await dump(rig))
    await other.settle(flight, "a", 0, 1)
    await roll_back(rig, dumps[moment], one, other)
    for hand in (one, other) if first else (other, one):
        await hand.recover()
    await hold_is_over(rig)
    assert (await rig.take()).grants == []
    assert sorted(await rig.states(campaign)) == sorted("aasss")
    assert await other.settle(flight, "a", 2, 3, 4) == "aaa"
    await rig.check(campaign)


async def test_what_was_given_back_and_forgotten_is_ready_and_waits_once(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    flight = await hand.take()
    earlier = await dump(rig)
    await hand.give_back(flight)
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await rig.states(campaign) == "....."
    await rig.check(campaign)
    await hold_is_over(rig)
    assert len((await rig.take()).grants) == 5


async def test_places_in_lanes_of_what_flies_again_are_dropped_and_counted(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    earlier = await dump(rig)
    await hand.take(3)
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await rig.redis.hget(rig.keys.campaign(campaign.id), "ln") == b"5"
    await hold_is_over(rig)
    assert len((await rig.take()).grants) == 2
    assert await rig.redis.hget(rig.keys.campaign(campaign.id), "ln") == b"0"
    await rig.check(campaign)


async def test_a_chunk_that_is_planned_anew_gives_nothing_that_was_sent(rig: Rig, hand: Hand) -> None:
    await rig.pool(1)
    chunk = chunk_of(people(5))
    campaign = await rig.push(chunk, plan=False)
    earlier = await dump(rig)
    await rig.plan(campaign, 0, chunk)
    flight = await hand.take(4)
    await hand.settle(flight, "a", 0, 1)
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await rig.plan(campaign, 0, chunk)
    await hold_is_over(rig)
    assert [grant.offset for grant in (await rig.take()).grants] == [4]
    await rig.check(campaign)


async def test_a_slow_sender_does_not_start_anew(rig: Rig, hand: Hand) -> None:
    """What its forgotten take had charged is charged again, and once, however often it is told."""
    campaign = await begin(rig, rate=0.1)
    earlier = await dump(rig)
    assert len((await hand.take()).grants) == 1
    pool, busy = rig.keys.of("pool", "c1.any"), {0.0}
    free_us = await rig.redis.zscore(pool, "1")
    for _ in range(2):
        await roll_back(rig, earlier, hand)
        await hand.recover()
        busy.add(await rig.redis.zscore(pool, "1") or 0.0)
    assert free_us is not None
    assert 0 <= max(busy) - free_us < 300_000
    await hold_is_over(rig)
    assert (await rig.take()).grants == []
    await rig.check(campaign, forgetful=True)


async def test_people_stay_with_the_sender_of_a_forgotten_take(rig: Rig, hand: Hand) -> None:
    await rig.pool(3)
    await rig.push(chunk_of(people(30)))
    earlier = await dump(rig)
    flight = await hand.take()
    by = {grant.to: grant.sender for grant in flight.grants}
    assert len(set(by.values())) == 3
    await roll_back(rig, earlier, hand)
    await hand.recover()
    await hold_is_over(rig)
    await rig.push(chunk_of(people(30)[::-1]))
    again = {grant.to: grant.sender for each in await rig.take_all(30) for grant in each.grants}
    assert again == by


async def test_what_the_carrier_took_counts_although_it_was_cancelled_meanwhile(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    earlier = await dump(rig)
    flight = await hand.take(2)
    await hand.settle(flight, "a", 0)
    await roll_back(rig, earlier, hand)
    assert await rig.outbox.cancel(campaign.id) == 0
    assert await rig.states(campaign) == "ccccc"
    await hand.recover()
    assert await rig.states(campaign) == "acccc"
    assert await hand.settle(flight, "a", 1) == "a"
    await rig.check(campaign)


async def test_what_the_carrier_took_ends_its_doubt_when_it_is_told_again(rig: Rig, hand: Hand) -> None:
    """It was given up here while its worker was away; the worker's word makes it submitted, and leaves no doubt behind."""
    campaign = await begin(rig, 2)
    flight = await hand.take()
    await rig.redis.zadd(rig.keys.of("flights"), {flight.token: 1})
    await rig.outbox.chores.reap(10)
    earlier = await dump(rig)
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await hand.settle(flight, "a") == "aa"
    assert await rig.left() & {"unknown", "doubts"} == set()
    await rig.check(campaign)


async def test_rests_are_not_forgotten(rig: Rig, hand: Hand) -> None:
    await begin(rig)
    earlier = await dump(rig)
    settling = asyncio.create_task(hand.settler.run())

    async def rests() -> None:
        for _ in range(1000):
            if await rig.redis.hget(rig.keys.of("stops"), "a"):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it does not rest")

    try:
        hand.settler.rest("a", Rest("account", 60, "told to wait"))
        await rests()
        await roll_back(rig, earlier, hand)
        await hand.recover()
        await rests()
    finally:
        settling.cancel()
    await hold_is_over(rig)
    assert (await rig.take()).grants == []


async def test_a_worker_gives_back_what_a_server_grants_that_has_not_heard_it_yet(rig: Rig) -> None:
    """The first look may come too late for the hold: then the run id that take answers tells."""
    campaign = await begin(rig)
    await rig.redis.hset(rig.keys.of("server"), mapping={"run": "f" * 40, "until": 0})
    first = await rig.take()
    second = await rig.take()
    assert first.why == second.why == "hold"
    assert first.run == second.run != "f" * 40
    await rig.check(campaign)


async def test_a_server_restarted_from_an_older_copy_of_its_folder_hears_what_it_lost(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path / "live") as server:
        client = redis.asyncio.Redis.from_url(server.url)
        rig = Rig(Outbox(client, "test"))
        hand = Hand(rig)
        campaign = await begin(rig)
        kept = await hand.take(1)
        shutil.copytree(server.folder, tmp_path / "older")
        lost = await hand.take(2)
        await hand.settle(lost, "a", 0)
        await hand.settle(kept, "a")
        await server.stop()
        shutil.rmtree(server.folder)
        shutil.copytree(tmp_path / "older", server.folder)
        await server.start()
        assert await rig.states(campaign) == "s...."
        await hand.recover()
        assert await rig.states(campaign) == "aas.."
        await hold_is_over(rig)
        assert len((await rig.take()).grants) == 2
        await rig.check(campaign)
        await client.aclose()


async def test_a_forgotten_repeat_is_not_made_by_another_meanwhile(rig: Rig, hand: Hand) -> None:
    campaign = await begin(rig)
    await rig.settle(await rig.take(2), "?")
    await rig.look_now()
    earlier = await dump(rig)
    flight = await rig.repeat()
    assert len(flight.grants) == 2
    hand.memory.took(flight, 60_000_000)
    await roll_back(rig, earlier, hand)
    await hand.recover()
    await hold_is_over(rig)
    assert (await rig.repeat()).grants == []
    await rig.check(campaign, forgetful=True)
    assert await hand.settle(flight, "a") == "aa"
    await rig.check(campaign, forgetful=True)


async def test_a_profile_that_is_unknown_here_is_no_hindrance(rig: Rig, hand: Hand) -> None:
    """Rolled back to before the campaign was there: there is nothing to claim, and nothing breaks."""
    await rig.pool(1)
    earlier = await dump(rig)
    campaign = await rig.push(chunk_of(people(3)), profile=PROFILE)
    flight = await hand.take()
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await hand.settle(flight, "a") == "---"
    assert await rig.outbox.campaign(campaign.id) is None
    assert "flight" not in await rig.left()
