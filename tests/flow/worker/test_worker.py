"""A worker from push to verdict: everybody once, by their own number, through restarts and in company."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import redis.asyncio

from tests.flow.worker.conftest import SOON, World, eventually, people
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey
from volley.outbox.events import unpack_attempts
from volley.sandbox.fault_rule import FaultRule

SLOW = FaultRule(kind="latency", ms=(150, 300))


async def nothing_flies(world: World, campaign: Campaign) -> bool:
    return (await world.view(campaign)).in_flight == 0


async def stands_still(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


async def there_are(world: World, workers: int) -> bool:
    return len(await world.outbox.workers()) == workers


async def test_a_campaign_reaches_everybody_once_with_their_own_text(world: World) -> None:
    await world.begin()
    worker = await world.worker()
    campaign = await world.push(people(450))
    assert await world.until(campaign) == {"submitted": 450}
    assert world.reached() == dict.fromkeys(people(450), 1)
    assert len({arrival.text_crc for arrival in world.arrivals()}) == 450
    assert {arrival.key for arrival in world.arrivals()} == {
        f"{campaign.id}-{k}-{n}-g0" for k in range(5) for n in range(100) if k < 4 or n < 50
    }
    view = await world.view(campaign)
    assert (view.sent_parts, view.cost_micros > 0) == (450, True)
    assert await world.stop(worker) == 0


async def test_the_ledger_hears_of_every_attempt(world: World) -> None:
    await world.begin()
    await world.worker()
    campaign = await world.push(people(30))
    await world.until(campaign)
    entries = [f for _, f in await world.client.xrange(world.outbox.keys.ledger) if f[b"k"] == b"attempts"]
    records = [record for fields in entries for record in unpack_attempts(fields[b"p"])]
    assert b"".join(fields[b"m"] for fields in entries) == b"a" * 30
    assert sorted(record.to for record in records) == people(30)
    by_id = {arrival.id: arrival for arrival in world.arrivals()}
    for record in records:
        arrival = by_id[record.carrier_id]
        assert (arrival.sender, arrival.to) == (record.sender, f"+{record.to}")
        assert (record.outcome, record.http_status, record.carrier_parts, record.attempt) == ("accepted", 200, 1, 1)
        assert record.taken_us <= record.sent_us <= record.answered_us


async def test_the_same_people_hear_from_the_same_number_again(world: World) -> None:
    await world.begin()
    await world.worker()
    await world.until(await world.push(people(200)))
    first = {arrival.to: arrival.sender for arrival in world.arrivals()}
    assert set(first.values()) == set(world.numbers)
    await world.until(await world.push(people(200)[::-1]))
    assert {arrival.to: arrival.sender for arrival in world.arrivals()[200:]} == first
    assert await world.pinned() == {int(to[1:]): number for to, number in first.items()}


async def test_a_paused_campaign_is_silent_and_a_cancelled_one_ends(world: World) -> None:
    await world.begin(rate=25)
    await world.worker()
    campaign = await world.push(people(400))
    await world.until(campaign, left=380)
    await world.outbox.pause(campaign.id)
    await eventually(lambda: nothing_flies(world, campaign))
    silent = len(world.arrivals())
    await asyncio.sleep(0.5)
    assert len(world.arrivals()) == silent
    await world.outbox.resume(campaign.id)
    await world.until(campaign, left=400 - silent - 20)
    await world.outbox.cancel(campaign.id)
    counts = await world.until(campaign)
    assert counts == {"submitted": len(world.arrivals()), "cancelled": 400 - len(world.arrivals())}
    assert max(world.reached().values()) == 1


async def test_a_worker_with_nothing_to_do_ends_its_drain_and_wakes_for_new_work(world: World) -> None:
    await world.begin()
    await world.worker()
    await world.until(await world.push(people(20)))

    async def nothing_is_due() -> bool:
        return await world.client.zcard(world.outbox.keys.of("due")) == 0

    await eventually(nothing_is_due)
    assert await world.until(await world.push(people(20, 100))) == {"submitted": 20}


async def test_two_workers_share_the_work_and_never_a_message(world: World) -> None:
    await world.begin(rate=100)
    workers = [await world.worker(), await world.worker()]
    await eventually(lambda: there_are(world, 2))
    campaign = await world.push(people(1200))
    assert await world.until(campaign) == {"submitted": 1200}
    assert world.reached() == dict.fromkeys(people(1200), 1)
    assert await asyncio.gather(*map(world.stop, workers)) == [0, 0]


async def test_a_worker_that_is_asked_to_go_leaves_nothing_unknown_and_another_ends_the_work(world: World) -> None:
    await world.begin(rate=60)
    await world.fail(SLOW)
    first = await world.worker()
    campaign = await world.push(people(360))
    await world.until(campaign, left=300)
    assert await world.stop(first) == 0
    counts = await world.counts(campaign)
    assert counts.keys() == {"ready", "submitted"}
    assert counts["submitted"] == len(world.arrivals())
    assert await world.outbox.workers() == []
    await world.worker()
    assert await world.until(campaign) == {"submitted": 360}
    assert world.reached() == dict.fromkeys(people(360), 1)


async def test_a_worker_that_is_killed_leaves_unknown_what_it_held_and_nobody_is_reached_twice(world: World) -> None:
    await world.begin(rate=60)
    await world.fail(SLOW)
    first = await world.worker(VOLLEY_HTTP_TIMEOUT=SOON)
    campaign = await world.push(people(360))
    await world.until(campaign, left=300)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    held = (await world.view(campaign)).in_flight
    assert held > 0
    await world.worker(VOLLEY_HTTP_TIMEOUT=SOON)
    assert await world.until(campaign) == {"submitted": 360 - held, "unknown": held}
    assert max(world.reached().values()) == 1
    assert 360 - held <= len(world.reached()) <= 360


async def test_a_worker_that_was_stopped_for_too_long_sends_nothing_late(world: World) -> None:
    """SIGSTOP, as a laptop's lid or a snapshot does: what was granted before is too old afterwards."""
    await world.begin(rate=60)
    worker = await world.worker(VOLLEY_HTTP_TIMEOUT=SOON)
    campaign = await world.push(people(300))
    await world.until(campaign, left=250)
    os.kill(worker.pid, signal.SIGSTOP)
    await eventually(lambda: stands_still(worker.pid))
    await world.client.ping()  # what it had asked for before has been done now
    held = (await world.view(campaign)).in_flight
    await asyncio.sleep(1)
    os.kill(worker.pid, signal.SIGCONT)
    counts = await world.until(campaign)
    assert sum(counts.values()) == 300
    assert max(world.reached().values()) == 1
    assert len(world.reached()) >= counts["submitted"] >= 300 - held


async def test_when_redis_comes_back_sending_goes_on_by_itself(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        world = World(tmp_path, valkey)
        try:
            await world.begin(rate=60)
            await world.worker()
            campaign = await world.push(people(360))
            await world.until(campaign, left=280)
            await valkey.stop()
            await asyncio.sleep(0.5)
            await valkey.start()
            world.client = redis.asyncio.Redis.from_url(valkey.url)
            world.outbox.redis = world.client
            assert await world.until(campaign) == {"submitted": 360}
            assert world.reached() == dict.fromkeys(people(360), 1)
        finally:
            await world.end()
