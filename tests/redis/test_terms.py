"""A campaign's own terms: never faster than its cap, nothing before its start, and changed while it runs."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import redis.asyncio

from tests.redis.conftest import Rig, chunk_of, people, sender
from tests.redis.test_idle_takes import commands_of
from tests.redis.test_pacing import Sent, drain, drained, until_us, worst_excess
from volley.errors import UnusableInput
from volley.outbox.outbox import Outbox


def of(sent: list[Sent], campaign_id: str) -> list[Sent]:
    return [each for each in sent if each.campaign == campaign_id]


async def test_a_cap_is_never_exceeded_and_nearly_all_of_it_is_used(rig: Rig) -> None:
    await rig.pool(4)
    campaign = await rig.push(*(chunk_of(people(400, 400 * k), parts=3) for k in range(2)), rate_milli=200_000)
    sent, paced_s = await drain(rig, 1.0)
    assert worst_excess(sent, 200) <= 0
    assert sum(s.parts for s in sent) >= 0.98 * 200 * paced_s - 3
    await rig.check(campaign)


async def test_a_capped_campaign_leaves_the_rest_to_the_others(rig: Rig) -> None:
    await rig.pool(4, account=400)
    slow = await rig.push(chunk_of(people(400)), rate_milli=50_000)
    urgent = await rig.push(chunk_of(people(400, 500)), rate_milli=30_000, priority="urgent")
    other = await rig.push(*(chunk_of(people(400, 1000 + 400 * k)) for k in range(2)))
    sent, paced_s = await drain(rig, 1.0)
    assert worst_excess(of(sent, slow.id), 50) <= 0
    assert worst_excess(of(sent, urgent.id), 30) <= 0
    assert worst_excess(sent, 400) <= 0
    assert len(sent) >= 0.98 * 400 * paced_s - 1
    assert len(of(sent, slow.id)) >= 0.95 * 50 * paced_s - 1
    assert len(of(sent, urgent.id)) >= 0.95 * 30 * paced_s - 1
    await rig.check(slow, urgent, other)


async def test_a_cap_is_used_where_the_messages_lie_in_very_many_lanes(rig: Rig) -> None:
    """Each of 200 senders makes one part in two seconds, half of what they make together is the cap."""
    await rig.sync([sender(n, 0.5) for n in range(200)])
    await rig.rate("a", 1000)
    first = await rig.push(chunk_of(people(400)))
    await rig.redis.hset(rig.keys.of("rates"), mapping={"c" + first.id: 50_000})
    await rig.outbox.change(first.id, rate=Decimal(50))
    await rig.outbox.cancel(first.id)
    campaign = await rig.push(*(chunk_of(people(400, 400 * k)) for k in range(2)), rate_milli=50_000)
    sent, paced_s = await drain(rig, 2.0)
    assert worst_excess(sent, 50) <= 0
    assert len(sent) >= 0.95 * 50 * paced_s - 1
    await rig.check(campaign)


async def test_a_campaign_at_its_cap_is_not_looked_at_again_and_again(rig: Rig, db: redis.asyncio.Redis) -> None:
    await rig.sync([sender(n) for n in range(50)])
    await rig.rate("a", 10_000)
    for n in range(40):
        await rig.push(chunk_of(people(30, 100 * n)), rate_milli=1)
    for _ in range(3):
        await rig.take()
    assert await commands_of(db, rig.take()) < 30


async def test_nothing_goes_before_the_start_and_all_of_it_goes_then(rig: Rig) -> None:
    await rig.pool(2)
    start_us = await rig.now_us() + 1_500_000
    campaign = await rig.push(chunk_of(people(50)), plan=False, start_us=start_us)
    assert (await rig.take(low_water=500)).hungry == [], "it is planned when it starts"
    assert "plan:" + campaign.id not in await rig.outbox.chores.due(1)
    assert await rig.outbox.dispatch.following(campaign.id) == -1, "not by a job that comes too early either"
    await rig.plan(campaign, 0, chunk_of(people(50)))
    assert (await rig.take()).why != "idle", "somebody must be there when it starts"
    sent = await drained(rig, 50)
    assert min(s.moment_us for s in sent) >= start_us
    assert len(sent) == 50
    await rig.check(campaign)


async def test_a_campaign_that_starts_wants_to_be_planned(rig: Rig) -> None:
    await rig.pool(1)
    start_us = await rig.now_us() + 1_500_000
    campaign = await rig.push(chunk_of(people(5)), plan=False, start_us=start_us)
    assert (await rig.take(low_water=500)).hungry == []
    await until_us(rig, start_us)
    assert (await rig.take(low_water=500)).hungry == [campaign.id]
    assert "plan:" + campaign.id in await rig.outbox.chores.due(1)


async def test_a_change_of_the_cap_holds_from_the_next_take_on(rig: Rig) -> None:
    await rig.pool(4)
    campaign = await rig.push(*(chunk_of(people(400, 400 * k)) for k in range(2)), rate_milli=1)
    sent, _ = await drain(rig, 0.2)
    assert len(sent) == 1, "one in a thousand seconds"
    await rig.outbox.change(campaign.id, rate=Decimal(100))
    sent, paced_s = await drain(rig, 0.6)
    assert worst_excess(sent, 100) <= 0
    assert len(sent) >= 0.95 * 100 * paced_s - 1
    await rig.outbox.change(campaign.id, rate=None)
    assert len((await rig.take_all(300))[0].grants) > 40
    await rig.check(campaign)


async def test_a_running_campaign_without_a_cap_gets_one(rig: Rig) -> None:
    await rig.pool(4)
    campaign = await rig.push(*(chunk_of(people(400, 400 * k)) for k in range(2)))
    await rig.take(10)
    await rig.outbox.change(campaign.id, rate=Decimal(40))
    sent, paced_s = await drain(rig, 0.5)
    assert worst_excess(sent, 40) <= 0
    assert len(sent) >= 0.95 * 40 * paced_s - 1


async def test_a_change_of_priority_moves_what_waits(rig: Rig) -> None:
    await rig.pool(1, rate=100)
    first = await rig.push(chunk_of(people(100)))
    second = await rig.push(chunk_of(people(100, 200)))
    await rig.outbox.change(second.id, priority="urgent")
    assert {g.campaign for g in (await rig.take(5)).grants} == {second.id}
    await rig.check(first, second)
    await rig.outbox.change(second.id, priority="bulk")
    await rig.outbox.change(first.id, priority="urgent")
    sent, _ = await drain(rig, 0.2)
    assert {s.campaign for s in sent} == {first.id}
    await rig.check(first, second)


async def test_what_becomes_urgent_before_it_is_planned_is_planned_first(rig: Rig) -> None:
    await rig.pool(1)
    first, second = [await rig.push(chunk_of(people(5, start)), plan=False) for start in (0, 200)]

    async def places() -> dict[str, int]:
        """In their order; the numbers are told where it is another."""
        found = await rig.redis.execute_command("ZRANGE", rig.keys.of("unplanned"), 0, -1, "WITHSCORES")
        return {name.decode(): int(at) for name, at in zip(found[::2], found[1::2], strict=True)}

    for priority, order in (("bulk", [first, second]), ("urgent", [second, first]), ("bulk", [first, second])):
        await rig.outbox.change(second.id, priority=priority)
        found = await places()
        assert list(found) == [each.id for each in order], (priority, found)
    await rig.check(first, second)


async def test_a_change_of_the_expiry_holds_at_once(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(10)), expires_us=await rig.now_us() + 3_600_000_000)
    await rig.outbox.change(campaign.id, expires=datetime.now(UTC) + timedelta(seconds=0.05))
    await asyncio.sleep(0.06)
    assert (await rig.take()).grants == []
    assert await rig.outbox.chores.expired() == [campaign.id]
    await rig.outbox.change(campaign.id, expires=None)
    assert await rig.outbox.chores.expired() == []
    assert len((await rig.take()).grants) == 10


@pytest.mark.parametrize("ago_s", [0, 1, 365 * 86_400])
async def test_an_expiry_that_is_over_is_refused_and_ends_nothing(rig: Rig, ago_s: int) -> None:
    """A wrong year, or a local time said to be UTC, would have ended the campaign for good."""
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(10)))
    with pytest.raises(UnusableInput, match="to end it now, cancel it"):
        await rig.outbox.change(campaign.id, expires=datetime.now(UTC) - timedelta(seconds=ago_s), priority="urgent")
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert (view.campaign.expires_us, view.campaign.priority) == (0, "bulk"), "nothing else of it is changed either"
    assert len((await rig.take()).grants) == 10


async def test_what_has_finished_does_not_expire(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(2)))
    for flight in await rig.take_all(2):
        await rig.settle(flight, "a")
    newest = await rig.redis.xrevrange(rig.keys.ledger, count=1)
    await rig.outbox.retire([campaign.id], newest[0][0].decode())
    await rig.outbox.change(campaign.id, expires=datetime.now(UTC) + timedelta(seconds=0.05))
    await asyncio.sleep(0.06)
    assert await rig.outbox.chores.expired() == []


async def test_a_changed_campaign_shows_what_holds_now_and_the_ledger_is_told(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(1)), rate_milli=5000)
    await rig.outbox.change(campaign.id, rate=Decimal("2.5"), priority="urgent")
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert (view.campaign.rate_milli, view.campaign.priority) == (2500, "urgent")
    await rig.outbox.change(campaign.id, rate=None)
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert view.campaign.rate_milli == 0
    told = [fields[b"d"] for _, fields in await rig.redis.xrange(rig.keys.ledger) if fields.get(b"e") == b"changed"]
    assert told == [b'{"rate_milli":2500,"priority":"urgent"}', b'{"rate_milli":0}']


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "0.0001", "1e9"])
async def test_a_cap_out_of_range_is_refused_with_what_to_do(outbox: Outbox, rate: str) -> None:
    with pytest.raises(UnusableInput, match="pause it"):
        await outbox.change("0123456789abcdef", rate=Decimal(rate))


async def test_what_is_over_or_unknown_is_not_changed(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(1)))
    await rig.outbox.cancel(campaign.id)
    with pytest.raises(UnusableInput, match="cancelled and stays so"):
        await rig.outbox.change(campaign.id, rate=Decimal(1))
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert view.campaign.rate_milli == 0
    with pytest.raises(UnusableInput, match="no campaign"):
        await rig.outbox.change("0123456789abcdef", rate=Decimal(1))


async def test_a_paused_campaign_with_a_cap_goes_on_when_it_is_resumed(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(100)), rate_milli=100_000)
    await drain(rig, 0.1)
    await rig.outbox.pause(campaign.id)
    sent, _ = await drain(rig, 0.2)
    assert sent == []
    await rig.outbox.resume(campaign.id)
    await drained(rig, 21)
    await rig.check(campaign)


async def test_a_repeat_goes_by_the_cap_too(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.unknown(20, rate_milli=1000_000)
    await rig.outbox.change(campaign.id, rate=Decimal(1))
    await rig.look_now()
    granted = [grant for _ in range(3) for grant in (await rig.repeat()).grants]
    assert len(granted) <= 1


async def test_a_start_that_is_put_off_is_waited_for_without_a_job_each_second(rig: Rig) -> None:
    """Nor does it stand before those who want planning; at its start it is planned."""
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(3)), plan=False)
    await rig.outbox.change(campaign.id, start=datetime.now(UTC) + timedelta(hours=1))
    asked = 0
    for _ in range(4):
        await rig.take()
        for job in await rig.outbox.chores.due(1):
            if job == f"plan:{campaign.id}":
                asked += 1
                assert await rig.outbox.dispatch.following(campaign.id) == -1
                await rig.outbox.chores.done(job)
    assert asked <= 1
    assert "unplanned" not in await rig.left()
    await rig.outbox.change(campaign.id, start=datetime.now(UTC))
    await rig.take()
    assert f"plan:{campaign.id}" in await rig.outbox.chores.due(1)
    assert await rig.outbox.dispatch.following(campaign.id) == 0
    await rig.check(campaign)


async def test_nobody_is_asked_about_before_a_start_that_was_put_off(rig: Rig) -> None:
    """A repeat may be the first that reaches the carrier."""
    await rig.pool(1)
    campaign = await rig.unknown(3)
    await rig.outbox.change(campaign.id, start=datetime.now(UTC) + timedelta(hours=1))
    await rig.look_now()
    assert (await rig.repeat()).grants == []
    await rig.outbox.change(campaign.id, start=None)
    await rig.look_now()
    assert len((await rig.repeat()).grants) == 3
