"""Quiet hours: nothing is granted to people for whom it is night, everything to those for whom it is day, and each in its time."""

import asyncio
from typing import Any

import pytest
import redis.asyncio

from tests.redis.conftest import Rig, chunk_of, people, sender
from tests.redis.test_idle_takes import commands_of
from tests.redis.test_pacing import drained, until_us
from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.message import MessageId
from volley.outbox import hours
from volley.outbox.chunks import encode
from volley.outbox.client import Redis
from volley.outbox.flights import REF, refs
from volley.outbox.keys import Keys
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import Argument, Scripts
from volley.outbox.whereabouts import wait_of

NIGHT = "21:00-08:00"
ZONES = ("America/New_York", "Asia/Tokyo", "Europe/Berlin")


async def push(rig: Rig, *sizes: int, groups: tuple[int, ...], **fields: object) -> Campaign:
    """A chunk of each size; nothing is planned, nobody's window is known but that all are closed."""
    chunks = [chunk_of(people(n, 1000 * k)) for k, n in enumerate(sizes)]
    return await rig.push(*chunks, plan=False, quiet_hours=NIGHT, zones=ZONES, chunk_zones=groups, **fields)


async def windows(rig: Rig, campaign: Campaign, *of_groups: list[tuple[float, float]]) -> int:
    """The windows of each group, in seconds from now, as if somebody had reckoned them. The second that counts as now."""
    now_s = round(await rig.now_us() / 1e6)
    texts = [" ".join(f"{now_s + begin:.0f}-{now_s + end:.0f}" for begin, end in group) for group in of_groups]
    union = " ".join(sorted(" ".join(texts).split()))
    await rig.outbox.scripts.run("reckon", campaign.id, 1 << 52, "", "", "", union, *texts)
    return now_s


async def plan_all(rig: Rig, campaign: Campaign, *sizes: int) -> list[int]:
    """Plans what may be planned now, as a worker does."""
    planned = []
    while (k := await rig.outbox.dispatch.following(campaign.id)) >= 0:
        assert (await rig.outbox.dispatch.plan(campaign.id, k, refs(k, chunk_of(people(sizes[k], 1000 * k)))))[0]
        planned.append(k)
    return planned


OPEN, CLOSED = [(-100.0, 100.0)], [(-100.0, -50.0), (500.0, 900.0)]


async def test_only_people_for_whom_it_is_day_are_planned_and_sent_to(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 5, 4, 3, 2, groups=(1, 0, 1, 2))
    await windows(rig, campaign, OPEN, CLOSED, OPEN)
    assert await plan_all(rig, campaign, 5, 4, 3, 2) == [1, 3]
    await rig.check(campaign)
    assert len(await drained(rig, 6)) == 6
    assert (await rig.take(low_water=500)).hungry == [], "what is parked wants no planning before its time"
    await rig.check(campaign)


async def test_what_is_parked_is_planned_when_its_window_opens(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await push(rig, 5, 4, groups=(1, 0))
    opens_s = 3 + await windows(rig, campaign, OPEN, [(3, 100)])
    assert await plan_all(rig, campaign, 5, 4) == [1]
    assert len(await drained(rig, 4)) == 4
    await until_us(rig, opens_s * 1_000_000)
    assert (await rig.take(low_water=500)).hungry == [campaign.id]
    assert await plan_all(rig, campaign, 5, 4) == [0]
    assert len(await drained(rig, 5)) == 5
    await rig.check(campaign)


async def test_what_waits_in_a_lane_when_its_window_closes_waits_until_it_opens(rig: Rig) -> None:
    """The other half of the campaign goes on."""
    await rig.pool(1)
    campaign = await push(rig, 30, 30, groups=(0, 1))
    await windows(rig, campaign, OPEN, OPEN)
    await plan_all(rig, campaign, 30, 30)
    opens_s = 3 + await windows(rig, campaign, [(-100, -1), (3, 100)], OPEN)
    sent = await drained(rig, 30)
    assert len(sent) == 30
    await rig.check(campaign)
    wait = await wait_of(rig.outbox, MessageId(campaign.id, 0, 3))
    assert "quiet hours" in wait.why
    more = await drained(rig, 30)
    assert len(more) == 30
    assert min(s.moment_us for s in more) >= opens_s * 1_000_000
    await rig.check(campaign)


async def test_a_campaign_for_whom_it_is_night_everywhere_is_not_looked_at(rig: Rig, db: redis.asyncio.Redis) -> None:
    await rig.sync([sender(n) for n in range(50)])
    await rig.rate("a", 10_000)
    for _ in range(40):
        campaign = await push(rig, 20, groups=(0,))
        await windows(rig, campaign, OPEN)
        await plan_all(rig, campaign, 20)
        await windows(rig, campaign, CLOSED)
    for _ in range(4):
        assert (await rig.take()).grants == []
    assert await commands_of(db, rig.take()) < 30


async def test_windows_that_nobody_has_reckoned_are_closed(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await push(rig, 5, groups=(0,))
    await windows(rig, campaign, OPEN)
    await plan_all(rig, campaign, 5)
    await windows(rig, campaign, [(-100, -50)])
    assert (await rig.take()).grants == []
    await rig.redis.delete(rig.keys.of("hours", campaign.id))  # type: ignore[attr-defined]
    assert (await rig.take()).grants == []


async def test_a_sealed_campaign_has_its_windows_and_they_are_reckoned_anew_in_time(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await push(rig, 5, groups=(0,))
    held = await rig.redis.hgetall(rig.keys.of("hours", campaign.id))
    assert held[b"of"] == b"\0\0"
    assert held[b"n"] == b"3"
    assert len(held[b"0"].split()) >= 4
    assert await rig.outbox.chores.reckon() == 0
    await rig.redis.zadd(rig.keys.of("reckon"), {campaign.id: 1})
    await rig.redis.delete(rig.keys.of("hours", campaign.id))  # type: ignore[attr-defined]
    await hours.reckon(rig.outbox.scripts, campaign.id, NIGHT, ZONES, [0])
    await rig.redis.zadd(rig.keys.of("reckon"), {campaign.id: 1})
    assert await rig.outbox.chores.reckon() == 1
    again = await rig.redis.hgetall(rig.keys.of("hours", campaign.id))
    assert again[b"0"].split()[1:] == held[b"0"].split()[1:]
    assert await rig.outbox.chores.reckon() == 0


async def test_a_zone_that_this_machine_does_not_know_keeps_no_other_campaign_waiting(rig: Rig) -> None:
    """It was pushed where the tables are newer; a worker with older ones goes on with all the rest, and what is known holds."""
    await rig.pool(1)
    strange, known = await push(rig, 5, groups=(0,)), await push(rig, 5, groups=(0,))
    key = rig.keys.of("hours", strange.id)
    await rig.redis.hset(key, mapping={"zones": b'["Mars/Olympus_Mons"]'})
    held = await rig.redis.hgetall(key)
    await rig.redis.zadd(rig.keys.of("reckon"), {strange.id: 1, known.id: 2})
    await rig.outbox.chores.reckon()
    assert await rig.redis.hgetall(key) == held
    assert await rig.outbox.chores.reckon() == 0, "it is asked of another machine soon, not of this one again and again"
    with pytest.raises(UnusableInput, match="update tzdata"):
        await rig.outbox.change(strange.id, quiet_hours="20:00-09:00")


async def test_other_hours_hold_at_once_and_lifted_ones_hold_nothing_back(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await push(rig, 5, 4, groups=(0, 1))
    await windows(rig, campaign, CLOSED, CLOSED, CLOSED)
    assert await plan_all(rig, campaign, 5, 4) == []
    now_min = await rig.now_us() // 60_000_000 % 1440
    tokyo = f"{(now_min + 540 + 300) // 60 % 24:02d}:00-{(now_min + 540 + 360) // 60 % 24:02d}:00"
    await rig.outbox.change(campaign.id, quiet_hours=tokyo)
    assert 1 in await plan_all(rig, campaign, 5, 4)
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert view.campaign.quiet_hours == tokyo
    await windows(rig, campaign, CLOSED, OPEN, CLOSED)
    granted = len((await rig.take(1)).grants)
    await windows(rig, campaign, CLOSED, CLOSED, OPEN)
    assert (await rig.take()).grants == [], "they rest until tomorrow"
    await rig.outbox.change(campaign.id, quiet_hours=None)
    await rig.take(1)
    await plan_all(rig, campaign, 5, 4)
    assert len(await drained(rig, 9 - granted - 1)) == 9 - granted - 1
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert view.campaign.quiet_hours == ""
    await rig.check(campaign)


async def test_very_many_who_sleep_are_roused_in_pieces_and_nobody_else_is(rig: Rig) -> None:
    await rig.pool(1)
    campaign, other = [await push(rig, 5, groups=(0,)) for _ in range(2)]
    later, night_us = rig.keys.of("later"), await rig.now_us() + 3_600_000_000
    for mine in (campaign, other):
        sleepers = [REF.pack(0, n % 5, 1, 0, 0, 0, 12025550000 + n) for n in range(6_000)]
        await rig.redis.zadd(later, {mine.id.encode() + ref: night_us for ref in sleepers})
    assert int(await rig.outbox.scripts.run("rouse", campaign.id, "0")), "there is more to do"
    assert 6_000 < await rig.redis.zcount(later, night_us, "+inf") < 12_000
    await rig.outbox.change(campaign.id, quiet_hours=None)
    asleep = await rig.redis.zrangebyscore(later, night_us, "+inf")
    assert len(asleep) == 6_000
    assert {each[:16] for each in asleep} == {other.id.encode()}


async def test_windows_of_hours_that_were_changed_meanwhile_are_not_written(rig: Rig) -> None:
    """The sweeper reads the hours, stands still, and reckons only after somebody has changed them."""
    await rig.pool(1)
    campaign = await push(rig, 5, groups=(0,))
    await rig.outbox.change(campaign.id, quiet_hours="02:00-20:00")
    held = await rig.redis.hgetall(rig.keys.of("hours", campaign.id))
    await hours.reckon(rig.outbox.scripts, campaign.id, NIGHT, ZONES, held=NIGHT)
    assert await rig.redis.hgetall(rig.keys.of("hours", campaign.id)) == held


class Held(Scripts):
    """Stands still before it changes a campaign, as a process may."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        super().__init__(client, keys)
        self.reached, self.goes_on = asyncio.Event(), asyncio.Event()

    async def durable(self, name: str, *arguments: Argument) -> Any:
        if name == "change":
            self.reached.set()
            await self.goes_on.wait()
        return await super().durable(name, *arguments)


def _inner(held: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Without the outermost moments, which are so far from the second in which it was reckoned."""
    windows = {name: value.partition(b"-")[2].rpartition(b"-")[0] for name, value in held.items() if b"-" in value}
    return held | windows | {b">": b""}


async def test_of_two_who_change_the_hours_at_once_one_has_both_words(rig: Rig) -> None:
    """Never the hours of one with the windows of the other: it reckons, another one reckons and changes, and it changes."""
    await rig.pool(1)
    campaign = await push(rig, 5, groups=(0,))
    slow, scripts = Outbox(rig.redis, "test"), Held(rig.redis, rig.keys)
    slow.scripts = scripts
    first = asyncio.create_task(slow.change(campaign.id, quiet_hours=NIGHT))
    await scripts.reached.wait()
    await rig.outbox.change(campaign.id, quiet_hours="02:00-20:00")
    scripts.goes_on.set()
    await first
    held = await rig.redis.hgetall(rig.keys.of("hours", campaign.id))
    await hours.reckon(rig.outbox.scripts, campaign.id, NIGHT, ZONES)
    assert _inner(held) == _inner(await rig.redis.hgetall(rig.keys.of("hours", campaign.id)))


async def test_a_campaign_pushed_without_hours_gets_those_of_all_people_of_each_chunk(rig: Rig) -> None:
    await rig.pool(1)
    east, west = [12125550000 + n for n in range(5)], [13105550000 + n for n in range(5)]
    campaign = await rig.push(chunk_of(east), chunk_of([*east[:2], *west]), chunk_of([819012345678]), plan=False)
    await rig.outbox.change(campaign.id, quiet_hours=NIGHT)
    held = await rig.redis.hgetall(rig.keys.of("hours", campaign.id))
    assert held[b"zones"] == b'["America/New_York","America/Los_Angeles,America/New_York","Asia/Tokyo"]'
    assert held[b"of"] == b"\0\0\0\1\0\2"
    everywhere = await rig.push(chunk_of([east[0], 819012345678]), plan=False)
    with pytest.raises(UnusableInput, match="shorter hours"):
        await rig.outbox.change(everywhere.id, quiet_hours="19:00-10:00")
    view = await rig.outbox.campaign(everywhere.id)
    assert view is not None
    assert view.campaign.quiet_hours == ""


async def test_a_campaign_of_which_a_part_is_over_gets_hours_too_and_what_comes_back_its_own(rig: Rig) -> None:
    await rig.pool(1)
    east, west = [12125550000 + n for n in range(3)], [13105550000 + n for n in range(3)]
    chunks = [chunk_of(east), chunk_of(west), chunk_of(east)]
    campaign = await rig.push(*chunks, plan=False)
    for k in (0, 1):
        await rig.redis.delete(rig.keys.chunk(campaign.id, k), rig.keys.states(campaign.id, k))  # type: ignore[call-arg]
    await rig.outbox.change(campaign.id, quiet_hours=NIGHT)
    key = rig.keys.of("hours", campaign.id)
    held = await rig.redis.hgetall(key)
    assert held[b"zones"] == b'["","America/New_York"]'
    assert held[b"of"] == b"\0\0\0\0\0\1"
    assert held[b"0"] == b"", "nobody knows whose night it is"
    for k in (1, 0, 2):
        await hours.restored(rig.outbox.scripts, campaign.id, k, encode(chunks[k]))
    again = await rig.redis.hgetall(key)
    assert again[b"zones"] == b'["","America/New_York","America/Los_Angeles"]'
    assert again[b"of"] == b"\0\1\0\2\0\1"
    assert len(again[b"2"].split()) >= 4
    assert again[b"1"] == held[b"1"]


async def test_nobody_is_asked_about_in_the_night(rig: Rig) -> None:
    """A repeat may be the first that reaches the carrier."""
    await rig.pool(1)
    campaign = await push(rig, 5, groups=(0,))
    await windows(rig, campaign, OPEN)
    await plan_all(rig, campaign, 5)
    for flight in await rig.take_all(5):
        await rig.settle(flight, "?")
    await windows(rig, campaign, CLOSED)
    await rig.look_now()
    assert (await rig.repeat()).grants == []
    await windows(rig, campaign, OPEN)
    await rig.look_now()
    assert len((await rig.repeat()).grants) > 0


async def test_a_cancelled_campaign_leaves_nothing_of_its_hours(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await push(rig, 5, 4, groups=(0, 1))
    await windows(rig, campaign, CLOSED, CLOSED)
    await plan_all(rig, campaign, 5, 4)
    await rig.outbox.cancel(campaign.id)
    assert await rig.left() & {"parked", "asleep", "reckon"} == set()
    assert await rig.counts(campaign) == {"cancelled": 9}
    await rig.check(campaign)
    abandoned = await rig.open(chunk_of(people(1)))
    await hours.reckon(rig.outbox.scripts, abandoned.id, NIGHT, ZONES, [0])
    await rig.outbox.abandon(abandoned.id)
    assert await rig.ids("hours") == {campaign.id: rig.keys.of("hours", campaign.id).encode()}
