"""A campaign that ends every worker that touches it: it is set aside, visible, and the others go on."""

import asyncio

from tests.flow.worker.conftest import MAIN, World, eventually, people
from volley.outbox.poison import SetAside, set_aside

POISONED = people(100)
DIES = (
    f"""
import os
from worker.texts import Texts
real = Texts.request

def request(self, grant, *rest):
    if grant.to in range({POISONED[0]}, {POISONED[-1]} + 1):
        os._exit(9)
    return real(self, grant, *rest)

Texts.request = request
"""
    + MAIN
)


async def aside(world: World) -> list[SetAside]:
    return await set_aside(world.client, world.outbox.keys)


async def restarted_until_aside(world: World) -> int:
    """A supervisor that starts the worker again and again; how often it ended."""
    ends = 0
    async with asyncio.timeout(90):
        while not await aside(world):
            worker = await world.worker(DIES, VOLLEY_HTTP_TIMEOUT="0.5")
            await eventually(lambda: ended_or_aside(world))
            ends += worker.returncode is not None
            await asyncio.sleep(1)
    return ends


async def ended_or_aside(world: World) -> bool:
    return world.workers[-1].returncode is not None or bool(await aside(world))


async def test_a_campaign_that_ends_its_workers_is_set_aside_and_others_go_on(world: World) -> None:
    await world.begin(rate=1, senders=2)
    campaign = await world.push(POISONED)
    assert await restarted_until_aside(world) >= 3
    [entry] = await aside(world)
    counts = await world.counts(campaign)
    assert entry.messages == counts["dead"] >= 20
    assert counts.keys() <= {"dead", "unknown", "sending"}
    assert world.arrivals() == []
    other = await world.push(people(4, 1000))
    if world.workers[-1].returncode is not None:
        await world.worker(DIES)
    assert await world.until(other) == {"submitted": 4}
    assert world.workers[-1].returncode is None, "nothing of the poisoned campaign is taken any more"
