"""A take costs what it grants: the Redis commands of one that grants nothing do not grow with what waits."""

import asyncio
from collections.abc import Awaitable

import redis.asyncio

from tests.redis.conftest import Rig, chunk_of, people, sender
from tests.redis.test_geomatch import local
from tests.redis.test_mms import MEDIA, fill
from tests.redis.test_pool_scripts import evict


async def commands_of(db: redis.asyncio.Redis, act: Awaitable[object]) -> int:
    async def so_far() -> int:
        return sum(stat["calls"] for stat in (await db.info("commandstats")).values())

    before = await so_far()
    await act
    return await so_far() - before


async def test_very_many_campaigns_of_mms_that_wait_are_not_all_looked_at(rig: Rig, db: redis.asyncio.Redis) -> None:
    await rig.pool(50)
    await fill(rig)
    for n in range(200):
        await rig.push(chunk_of(people(1, 10 * n)), media=MEDIA)
        await rig.push(chunk_of(people(1, 10 * n)), media=MEDIA, sender=sender(0).number)
    assert (await rig.take()).grants == []
    assert await commands_of(db, rig.take()) < 60


async def test_an_sms_behind_very_many_mms_that_wait_goes_at_once(rig: Rig) -> None:
    await rig.pool(50)
    await fill(rig)
    for n in range(100):
        await rig.push(chunk_of(people(1, 10 * n)), media=MEDIA)
    sms = await rig.push(chunk_of(people(30, 5000)))
    assert [g.campaign for g in (await rig.take()).grants] == [sms.id] * 30


async def test_an_mms_behind_very_many_campaigns_of_sms_has_its_turn(rig: Rig) -> None:
    await rig.pool(1, rate=200)
    await rig.rate("m", 200)
    sms = [await rig.push(chunk_of(people(20, 100 * n)), sender=sender(0).number) for n in range(40)]
    mms = await rig.push(chunk_of(people(20, 5000)), sender=sender(0).number, media=MEDIA)
    granted: list[str] = []
    async with asyncio.timeout(10):
        while len(granted) < 100:
            granted += [g.campaign for g in (await rig.take()).grants]
            await asyncio.sleep(0.01)
    assert mms.id in granted[:41]
    assert granted.count(mms.id) >= 2
    await rig.check(*sms, mms)


async def test_campaigns_to_be_planned_ask_once_whether_anybody_of_their_profile_is_idle(
    rig: Rig, db: redis.asyncio.Redis
) -> None:
    areas = range(201, 301)
    await rig.sync([local(area) for area in areas], geomatch=True)
    await rig.rate("a", 10_000)
    for index in range(1, len(areas) + 1):
        await rig.outbox.dispatch.rest(f"s{index}", await rig.now_us() + 50_000_000, "busy")
    for n in range(40):
        await rig.push(chunk_of(people(1, 10 * n)), plan=False)
    assert await commands_of(db, rig.take()) < 300


async def test_a_take_is_filled_from_very_many_small_campaigns(rig: Rig) -> None:
    await rig.pool(10)
    small = [await rig.push(chunk_of(people(1, 10 * n))) for n in range(70)]
    paused = [await rig.push(chunk_of(people(1, 10 * n))) for n in range(200, 240)]
    for campaign in paused:
        await rig.outbox.pause(campaign.id)
    small += [await rig.push(chunk_of(people(1, 10 * n))) for n in range(300, 340)]
    assert len((await rig.take(100)).grants) == 100
    await rig.check(*small, *paused)


async def test_sms_behind_what_has_left_the_line_are_not_taken_for_mms_that_wait(rig: Rig) -> None:
    await rig.pool(1)
    await rig.rate("m", 1)
    number = sender(0).number
    gone = [await rig.push(chunk_of(people(1, 10 * n)), sender=number) for n in range(16)]
    for campaign in gone:
        await rig.outbox.pause(campaign.id)
    mms = await rig.push(chunk_of(people(5, 1000)), sender=number, media=MEDIA)
    sms = [await rig.push(chunk_of(people(1, 2000 + 10 * n)), sender=number) for n in range(20)]
    granted = {g.campaign for g in (await rig.take()).grants}
    assert {campaign.id for campaign in sms} < granted
    await rig.check(*gone, *sms, mms)


async def test_a_class_that_is_gone_with_all_that_waited_in_it_is_forgotten(rig: Rig) -> None:
    await rig.sync([local(202), local(415)], geomatch=True)
    await rig.rate("a", 1000)
    campaign = await rig.push(chunk_of([12025550000, 14155550000]))
    named = await rig.push(chunk_of(people(3)), sender=local(202).number)
    for each in (campaign, named):
        await rig.outbox.cancel(each.id)
    await rig.sync([sender(0)])
    await rig.take()
    assert (await rig.take()).why == "idle"


async def test_a_class_that_left_the_profile_after_its_campaign_had_ended_keeps_no_drain_awake(rig: Rig) -> None:
    """As a release before this one may have left it."""
    await rig.sync([sender(0)])
    await rig.redis.sadd(rig.keys.of("active", "b"), "1")  # type: ignore[attr-defined]
    await rig.redis.sadd(rig.keys.of("shared", "b", "1"), "c1.any@202")  # type: ignore[attr-defined]
    await rig.take()
    await evict(rig)
    assert await rig.outbox.chores.evicted() == []
    await rig.take()
    assert (await rig.take()).why == "idle"


async def test_a_sync_that_changes_nothing_writes_nothing_for_each_sender(rig: Rig, db: redis.asyncio.Redis) -> None:
    """Redis does nothing else meanwhile, and pools are of tens of thousands."""
    pool = [sender(n, reach="US") for n in range(100)]
    await rig.sync(pool)
    await rig.outbox.withdraw(pool[:1])
    await rig.sync(pool)
    assert await commands_of(db, rig.sync(pool)) < 30
    assert sum([view.free_us > 0 for view in await rig.outbox.senders()]) == 100
    assert await rig.outbox.chores.evicted() == []
