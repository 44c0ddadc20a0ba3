"""Chunks whose messages take their workers down with them are set aside; those of workers that were merely killed are not."""

import asyncio

import pytest

from tests.redis.conftest import Rig, chunk_of, people, sender
from volley.campaign import Campaign
from volley.outbox.chunks import encode
from volley.outbox.flights import REF, Flight
from volley.outbox.poison import SetAside, set_aside
from volley.state import MOVES_ARG

LIFE_US = 1_000
LIFE_S = LIFE_US / 1e6


async def crash(rig: Rig, want: int = 2, workers: int = 1) -> list[Flight]:
    """Workers take and never come back; after a while what they held is recovered."""
    flights = [await rig.take(want, life_s=LIFE_S) for _ in range(workers)]
    await asyncio.sleep(2 * LIFE_S)
    await rig.outbox.chores.reap(50, LIFE_US)
    return flights


async def aside(rig: Rig, campaign: Campaign | None = None) -> list[SetAside]:
    return await set_aside(rig.redis, rig.keys, campaign.id if campaign else None)


async def poisoned(rig: Rig, messages: int = 20) -> Campaign:
    """A chunk that has just been set aside: six of its messages are unknown, the rest is dead."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(messages)))
    for _ in range(3):
        await crash(rig)
    return campaign


async def test_after_three_recoveries_without_progress_what_is_ready_is_set_aside_and_told(rig: Rig) -> None:
    campaign = await poisoned(rig)
    assert await rig.counts(campaign) == {"unknown": 6, "dead": 14}
    assert [told[0] for told in await rig.told()].count("poison") == 14
    [entry] = await aside(rig, campaign)
    assert (entry.campaign, entry.chunk, entry.messages) == (campaign.id, 0, 14)
    assert (await rig.take()).grants == []
    assert await rig.redis.hget(rig.keys.campaign(campaign.id), "ln") == b"0"
    await rig.check(campaign)


async def test_two_recoveries_set_nothing_aside(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(20)))
    for _ in range(2):
        await crash(rig)
    assert await rig.counts(campaign) == {"unknown": 4, "ready": 16}
    assert await aside(rig) == []


@pytest.mark.parametrize("state", ["a", "x", "?"])
async def test_progress_begins_the_count_anew(rig: Rig, state: str) -> None:
    """Kills of healthy workers: in between others settle messages of the same chunk."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(60)))
    for _ in range(10):
        await crash(rig)
        await rig.settle(await rig.take(1), state)
    assert "dead" not in await rig.counts(campaign)
    assert await aside(rig) == []


async def test_a_crash_of_many_workers_at_once_is_one_recovery(rig: Rig) -> None:
    """However late some of their flights are reaped."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(60)))
    flights = [await rig.take(2, life_s=60) for _ in range(8)]
    for flight in flights:
        await rig.redis.zadd(rig.keys.of("flights"), {flight.token: flight.now_us + LIFE_US})
        await asyncio.sleep(2 * LIFE_S)
        await rig.outbox.chores.reap(50, LIFE_US)
    assert await rig.counts(campaign) == {"unknown": 16, "ready": 44}


async def test_only_the_chunk_that_flew_is_set_aside(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(10)), chunk_of(people(10, 100)))
    for _ in range(3):
        await crash(rig)
    assert await rig.counts(campaign) == {"unknown": 6, "dead": 4, "ready": 10}
    assert {grant.chunk for grant in (await rig.take()).grants} == {1}
    await rig.check(campaign)


async def test_what_rests_of_the_chunk_is_set_aside_too(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(10)))
    await rig.settle(await rig.take(2), ".", delay_us=60_000_000)
    for _ in range(3):
        await crash(rig)
    assert await rig.counts(campaign) == {"unknown": 6, "dead": 4}
    assert await rig.redis.zrange(rig.keys.of("later"), 0, -1) == []
    await rig.check(campaign)


async def test_its_count_ends_after_three_days_and_with_its_campaign(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(20)))
    await crash(rig)
    [place] = await rig.redis.hgetall(rig.keys.of("poison"))
    await rig.redis.hset(rig.keys.of("poison"), mapping={place: f"2 {await rig.now_us() - 259_300_000_000} 5 2"})
    await crash(rig)
    assert await aside(rig) == []
    await rig.redis.hset(rig.keys.of("poison"), mapping={place: f"2 {await rig.now_us() - 259_300_000_000} 5 2"})
    await rig.outbox.chores.forget(0, 10)
    assert await rig.redis.hgetall(rig.keys.of("poison")) == {}
    await rig.redis.hset(rig.keys.of("poison"), mapping={place: "z 5 14"})
    await rig.outbox.chores.forget(0, 10)
    assert len(await aside(rig)) == 1
    await rig.redis.zrem(rig.keys.of("live"), campaign.id)
    await rig.outbox.chores.forget(-3_600_000_000, 10)
    assert await aside(rig) == []


# redrive


def refs(places: list[tuple[int, int]], attempt: int = 1) -> bytes:
    return b"".join(REF.pack(k, n, 1, attempt, 0, attempt, people(1, n)[0]) for k, n in places)


async def redrive(rig: Rig, campaign: Campaign, packed: bytes, chunk: int = 0) -> int:
    return int(await rig.outbox.scripts.durable("redrive", MOVES_ARG, campaign.id, chunk, 8, packed))


async def test_what_is_dead_is_sent_once_more_when_it_is_redriven(rig: Rig) -> None:
    campaign = await poisoned(rig)
    places = [(0, n) for n in range(20)]
    assert await redrive(rig, campaign, refs(places)) == 14
    assert await redrive(rig, campaign, refs(places)) == 0
    assert await aside(rig) == []
    await rig.check(campaign)
    [flight] = await rig.take_all(14)
    assert {(grant.attempt, grant.spent, grant.generation) for grant in flight.grants} == {(2, 1, 1)}
    assert await rig.counts(campaign) == {"unknown": 6, "sending": 14}
    assert [told[4] for told in await rig.told() if told[0] == "redrive"] == ["."] * 14


async def test_nothing_but_the_dead_is_redriven(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(6)))
    flight = await rig.take(5)
    for position, state in enumerate("ax?o"):
        await rig.settle(flight, state, position)
    assert await redrive(rig, campaign, refs([(0, n) for n in range(6)])) == 0
    assert await rig.states(campaign) == "ax?os."


async def test_a_campaign_that_is_over_is_not_redriven(rig: Rig) -> None:
    await rig.pool()
    for end in ("c", "e"):
        campaign = await rig.push(chunk_of(people(3)))
        await rig.settle(await rig.take(1), "z")
        await rig.outbox.sweep(campaign.id, end)
        assert await redrive(rig, campaign, refs([(0, 0)])) == -2


async def test_a_chunk_that_has_left_redis_is_put_back_and_goes_again_in_the_end(rig: Rig) -> None:
    await rig.pool()
    chunk = chunk_of(people(4))
    campaign = await rig.push(chunk)
    flight = await rig.take()
    await rig.settle(flight, "z", 0, 1)
    await rig.settle(flight, "a", 2, 3)
    assert await rig.outbox.retire([campaign.id], "9999999999999-0") == 1
    assert await redrive(rig, campaign, refs([(0, 0)])) == -1
    for expected in (1, 0):
        assert await rig.outbox.scripts.durable("restore", campaign.id, 0, encode(chunk), b"zzaa") == expected
    assert await redrive(rig, campaign, refs([(0, 0), (0, 1), (0, 2)])) == 2
    assert await rig.states(campaign) == "..aa"
    await rig.check(campaign)
    assert await rig.outbox.retire([campaign.id], "9999999999999-0") == 0
    for flight in await rig.take_all(2):
        await rig.settle(flight, "a")
    assert await rig.outbox.retire([campaign.id], "9999999999999-0") == 1
    assert await rig.counts(campaign) == {"submitted": 4}
    assert await rig.left() & {"chunk", "states", "lane", "flight"} == set()


async def test_a_redriven_message_of_a_named_sender_waits_for_it(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)), sender=sender(1).number)
    await rig.settle(await rig.take(), "z")
    assert await redrive(rig, campaign, refs([(0, 0), (0, 1)])) == 2
    assert {grant.sender for grant in (await rig.take()).grants} == {2}
