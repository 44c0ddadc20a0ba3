"""Claims of workers that come late, or of what the server has forgotten in another way than a take."""

import pytest

from tests.redis.conftest import Rig, people
from tests.redis.hands import Hand, begin, dump, hold_is_over, roll_back
from volley.campaign import Campaign
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, REF
from volley.state import MOVES_ARG, RETRIES_ARG


async def test_a_worker_that_slept_through_the_hold_takes_nothing_over(rig: Rig) -> None:
    """It has posted nothing and would give its grants back, while another one has them on the wire."""
    sleeper, other = Hand(rig), Hand(rig)
    campaign = await begin(rig)
    earlier = await dump(rig)
    late = await sleeper.take()
    await roll_back(rig, earlier, sleeper, other)
    await other.recover()
    await hold_is_over(rig)
    flight = await other.take()
    assert len(flight.grants) == 5
    await sleeper.recover()
    await sleeper.settle(late, ".", flags=NO_ATTEMPT | AT_HEAD)
    assert await rig.states(campaign) == "sssss"
    assert (await rig.take()).grants == []
    assert await other.settle(flight, "a") == "aaaaa"
    await rig.check(campaign)


async def test_a_message_whose_redrive_was_forgotten_is_not_redriven_twice(rig: Rig) -> None:
    hand = Hand(rig)
    campaign = await begin(rig)
    await rig.settle(await rig.take(1), "z")
    earlier = await dump(rig)
    packed = REF.pack(0, 0, 1, 1, 0, 1, people(1)[0])
    assert await rig.outbox.scripts.run("redrive", MOVES_ARG, campaign.id, 0, 8, packed) == 1
    flight = await hand.take()
    assert any(grant.offset == 0 for grant in flight.grants)
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await rig.states(campaign) == "sssss"
    assert ("redrive", campaign.id, 0, 0, ".") in await rig.told()
    assert await hand.settle(flight, "a") == "aaaaa"
    await rig.check(campaign, forgetful=True)


async def test_what_is_told_again_without_need_leaves_no_flight_behind(rig: Rig) -> None:
    """The server has forgotten nothing: unknown messages are claimed, and their outcomes change nothing."""
    hand = Hand(rig)
    campaign = await begin(rig)
    flight = await hand.take()
    await hand.settle(flight, "?", 0, 1)
    await hand.settle(flight, "a", 2, 3, 4)
    await roll_back(rig, await dump(rig), hand)
    await hand.recover()
    assert await rig.states(campaign) == "??aaa"
    await rig.check(campaign)
    assert "flight" not in await rig.left()


async def test_a_chunk_of_which_a_dead_message_flies_again_stays(rig: Rig) -> None:
    hand = Hand(rig)
    campaign = await begin(rig, 1)
    await rig.settle(await rig.take(1), "z")
    earlier = await dump(rig)
    packed = REF.pack(0, 0, 1, 1, 0, 1, people(1)[0])
    await rig.outbox.scripts.run("redrive", MOVES_ARG, campaign.id, 0, 8, packed)
    flight = await hand.take()
    await roll_back(rig, earlier, hand)
    await hand.recover()
    await rig.outbox.retire([campaign.id], "9999999999999-0")
    assert await rig.states(campaign) == "s"
    assert await hand.settle(flight, "a") == "a"
    await rig.check(campaign, forgetful=True)


async def make_ready_again(rig: Rig, campaign: Campaign, state: str) -> None:
    """By a person, after one attempt: what was refused is retried, what is dead is redriven."""
    packed, run = REF.pack(0, 0, 1, 1, 0, 1, people(1)[0]), rig.outbox.scripts.run
    if state == "z":
        assert await run("redrive", MOVES_ARG, campaign.id, 0, 8, packed, b"") == 1
    else:
        turn = int(await run("retry", campaign.id, ""))
        assert await run("retry", campaign.id, turn, RETRIES_ARG, 0, 8, packed, state, b"") == 1


@pytest.mark.parametrize("state", ["x", "z"])
async def test_a_retry_that_the_server_remembers_is_not_taken_back_by_who_made_the_attempt_before(
    rig: Rig, state: str
) -> None:
    hand = Hand(rig)
    campaign = await begin(rig, 1)
    await hand.settle(await hand.take(), state)
    await make_ready_again(rig, campaign, state)
    heard = rig.keys.of("heard")
    for mark in await rig.redis.zrange(heard, 0, -1):
        await rig.redis.zincrby(heard, -30 * 60_000_000, mark)  # half an hour later, for whom it stood still
    await rig.outbox.chores.reap(10)
    await roll_back(rig, await dump(rig), hand)
    await hand.recover()
    assert await rig.states(campaign) == "."
    await hold_is_over(rig)
    flight = await hand.take()
    assert len(flight.grants) == 1
    assert await hand.settle(flight, "a") == "a"
    await rig.check(campaign)


@pytest.mark.parametrize("first", [0, 1])
async def test_a_retry_in_flight_is_the_workers_that_has_it_whoever_speaks_first(rig: Rig, first: int) -> None:
    before, now = Hand(rig), Hand(rig)
    campaign = await begin(rig, 1)
    await before.settle(await before.take(), "x")
    await make_ready_again(rig, campaign, "x")
    flight = await now.take()
    assert len(flight.grants) == 1
    await roll_back(rig, await dump(rig), before, now)
    for hand in (before, now) if first == 0 else (now, before):
        await hand.recover()
    assert await rig.states(campaign) == "s"
    assert await now.settle(flight, "a") == "a"
    await rig.check(campaign)


async def test_the_take_of_a_retry_that_was_forgotten_is_known_again(rig: Rig) -> None:
    hand = Hand(rig)
    campaign = await begin(rig, 1)
    await hand.settle(await hand.take(), "x")
    await make_ready_again(rig, campaign, "x")
    earlier = await dump(rig)
    flight = await hand.take()
    await roll_back(rig, earlier, hand)
    await hand.recover()
    assert await rig.states(campaign) == "s"
    await hold_is_over(rig)
    assert (await rig.take()).grants == []
    assert await hand.settle(flight, "a") == "a"
    await rig.check(campaign, forgetful=True)
