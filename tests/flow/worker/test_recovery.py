"""Redis dies, stands still or is away; a worker is stopped for longer than its flights live. Nobody is reached twice."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio

from tests.flow.worker.conftest import SOON, World, eventually, people
from volley.carrier.telnyx import Carrier
from volley.embedded import EmbeddedValkey
from volley.outbox.outbox import Outbox
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import API_KEY
from volley.sandbox.fault_rule import FaultRule
from worker.circuit import Circuit
from worker.delivery import Delivery
from worker.drain import Drain, life_s
from worker.memory import Memory
from worker.plan import plan
from worker.recovery import Recovery
from worker.settling import Settler
from worker.texts import Texts

SLOW = FaultRule(kind="latency", ms=(150, 300))


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose Valkey may be harmed."""
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        made = World(tmp_path, valkey)
        try:
            yield made
        finally:
            await made.end()


def server_pid(world: World) -> int:
    assert world.valkey.process is not None
    return world.valkey.process.pid


async def reconnect(world: World) -> None:
    await world.client.aclose()
    world.client = redis.asyncio.Redis.from_url(world.valkey.url)
    world.outbox = Outbox(world.client, "default")


async def test_a_redis_that_is_killed_and_restarted_costs_no_message(own: World) -> None:
    await own.begin(rate=60)
    await own.fail(SLOW)
    workers = [await own.worker(), await own.worker()]

    async def both_are_there() -> bool:
        return len(await own.outbox.workers()) == 2

    await eventually(both_are_there)
    campaign = await own.push(people(600))
    await own.until(campaign, left=480)
    os.kill(server_pid(own), signal.SIGKILL)
    await asyncio.sleep(1)
    await own.valkey.start()
    await reconnect(own)
    assert await own.until(campaign) == {"submitted": 600}
    assert own.reached() == dict.fromkeys(people(600), 1)
    assert await asyncio.gather(*map(own.stop, workers)) == [0, 0]


async def test_a_redis_that_stands_still_for_longer_than_a_flight_lives_makes_nothing_unknown(own: World) -> None:
    """The workers know what came of their messages, and speak before anybody gives them up."""
    await own.begin(rate=60)
    await own.fail(SLOW)
    await own.worker(VOLLEY_HTTP_TIMEOUT=SOON)
    campaign = await own.push(people(360))
    await own.until(campaign, left=280)
    os.kill(server_pid(own), signal.SIGSTOP)
    await asyncio.sleep(life_s(float(SOON)) + 2)
    os.kill(server_pid(own), signal.SIGCONT)
    await reconnect(own)
    assert await own.until(campaign) == {"submitted": 360}
    assert own.reached() == dict.fromkeys(people(360), 1)


async def test_a_worker_that_outlived_its_flights_posts_nothing_of_them_and_gives_nothing_back(world: World) -> None:
    await world.begin(rate=60)
    await world.fail(SLOW)
    zombie = await world.worker(VOLLEY_HTTP_TIMEOUT=SOON)
    campaign = await world.push(people(300))
    await world.until(campaign, left=250)
    os.kill(zombie.pid, signal.SIGSTOP)
    await world.worker(VOLLEY_HTTP_TIMEOUT=SOON)
    counts = await world.until(campaign)
    assert counts.keys() == {"submitted", "unknown"}

    def arrived() -> list[Arrival]:
        return [arrival for arrival in world.arrivals() if arrival.key.startswith(campaign.id)]

    before = arrived()
    seconds, _ = await world.client.time()
    os.kill(zombie.pid, signal.SIGCONT)

    async def is_back() -> bool:
        return any(w.pid == zombie.pid and w.seen_us > seconds * 1_000_000 for w in await world.outbox.workers())

    await eventually(is_back)
    assert await world.until(await world.push(people(300, 1000))) == {"submitted": 300}
    assert arrived() == before
    assert await world.counts(campaign) == counts
    assert max(world.reached().values()) == 1


async def test_a_worker_that_is_behind_takes_nothing_until_it_has_been_on_time_for_a_moment(world: World) -> None:
    await world.begin()
    outbox = Outbox(world.client, "default")
    await outbox.redis.hset(outbox.keys.of("rates"), mapping={"a": 100_000_000})
    campaign = await world.push(people(60))
    memory = Memory()
    texts, settler = Texts(outbox, None), Settler(outbox, memory)
    async with Carrier(API_KEY, world.sandbox.url, concurrency=50, http_timeout_s=5) as carrier:
        delivery = Delivery(carrier, texts, settler, Circuit(outbox.dispatch), slots=50, max_attempts=5)
        recovery = Recovery(outbox, memory, settler)
        drain = Drain(outbox, texts, delivery, memory, recovery, concurrency=50, http_timeout_s=5)
        tasks = [asyncio.create_task(settler.run()), asyncio.create_task(drain.run())]
        await plan(outbox, texts, campaign.id, enough=1000)
        drain.extend(1e12)
        time.sleep(1.3)  # noqa: ASYNC251 - the loop is blocked
        assert drain.watchdog.behind
        while drain.watchdog.behind:
            assert drain.started == 0
            await asyncio.sleep(0.01)
        assert await world.until(campaign) == {"submitted": 60}
        drain.stop()
        await tasks[1]
        tasks[0].cancel()
