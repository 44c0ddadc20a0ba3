"""A server whose clock is set, or gives way to one with another clock, lets nobody send too fast and nobody wait for long."""

from tests.redis.conftest import Rig, chunk_of, people

MINUTE_US = 60_000_000


async def _ahead(rig: Rig, by_us: int) -> None:
    """All that was written so far was written by a clock that stood so far ahead."""
    redis, keys = rig.redis, rig.keys
    for bucket, tat in (await redis.hgetall(keys.of("tat"))).items():
        await redis.hset(keys.of("tat"), mapping={bucket: int(tat) + by_us})
    for key in (keys.of("pool", "c1.any"), keys.of("flights"), keys.of("later"), keys.of("due")):
        for member in await redis.zrange(key, 0, -1):
            score = await redis.zscore(key, member)
            assert score is not None
            await redis.zadd(key, {member: score + by_us})
    seen = await redis.hget(keys.of("server"), "seen")
    assert seen is not None
    await redis.hset(keys.of("server"), mapping={"seen": int(seen) + by_us})


async def _free_us(rig: Rig) -> float:
    """When the one sender is free, from now on."""
    key = rig.keys.of("pool", "c1.any")
    (member,) = await rig.redis.zrange(key, 0, -1)
    score = await rig.redis.zscore(key, member)
    assert score is not None
    return score - await rig.now_us()


async def test_after_a_step_back_nothing_goes_before_the_clock_was_looked_at(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(20)))
    await rig.take(5)
    await _ahead(rig, MINUTE_US)
    assert (await rig.take(5)).why == "hold"
    assert -MINUTE_US - 1_000_000 < await rig.outbox.chores.clock() < -MINUTE_US + 2_000_000
    assert (await rig.take_all(15))[0].why != "hold"


async def test_after_a_step_back_a_sender_waits_as_long_as_it_had_to(rig: Rig) -> None:
    await rig.pool(1, rate=0.1)  # ten seconds a message
    await rig.push(chunk_of(people(20)))
    await rig.take(1)
    await _ahead(rig, MINUTE_US)
    await rig.outbox.chores.clock()
    assert 9_000_000 < await _free_us(rig) < 10_500_000
    assert not (await rig.take()).grants


async def test_after_a_step_forward_a_sender_waits_all_the_same(rig: Rig) -> None:
    await rig.pool(1, rate=0.1)
    await rig.push(chunk_of(people(20)))
    await rig.take(1)
    await _ahead(rig, -MINUTE_US)
    assert (await rig.take()).why == "hold"
    assert await rig.outbox.chores.clock() > MINUTE_US / 2
    assert 9_000_000 < await _free_us(rig) < 10_500_000
    assert not (await rig.take()).grants


async def test_a_flight_and_a_rest_do_not_wait_for_the_old_time(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(2)))
    flight = await rig.take(2, life_s=0.2)
    await rig.settle(flight, ".", 0, delay_us=100_000)
    await rig.outbox.dispatch.rest("a", await rig.now_us() + MINUTE_US + 100_000, "a test")
    await _ahead(rig, MINUTE_US)
    await rig.outbox.chores.clock()
    deadline_us = await rig.redis.zscore(rig.keys.of("flights"), flight.token)
    assert deadline_us is not None
    assert deadline_us - await rig.now_us() < 500_000
    (waiting,) = await rig.redis.zrange(rig.keys.of("later"), 0, -1)
    due_us = await rig.redis.zscore(rig.keys.of("later"), waiting)
    assert due_us is not None
    assert due_us - await rig.now_us() < 500_000
    (rest,) = await rig.outbox.rests()
    assert rest.until_us - await rig.now_us() < 500_000


async def test_a_clock_that_runs_on_changes_nothing(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(20)))
    await rig.take(5)
    before = await rig.redis.hgetall(rig.keys.of("tat"))
    assert await rig.outbox.chores.clock() == 0
    assert await rig.redis.hgetall(rig.keys.of("tat")) == before
