"""Redis full: intake is refused with a clear answer, sending and settling go on, and all is well once there is room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flow.worker.conftest import MAIN, World, eventually, people
from volley.embedded import EmbeddedValkey
from volley.errors import TryAgainLater

SHORT_SLICES = "import worker.jobs\nworker.jobs.SLICE_S = 2.0" + MAIN
FULL, ROOM = "1mb", "0"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[World]:
    """A world on a Valkey of its own, whose memory may be bounded."""
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        world = World(tmp_path, valkey)
        try:
            yield world
        finally:
            await world.end()


async def bound(world: World, memory: str) -> None:
    await world.client.execute_command("CONFIG", "SET", "maxmemory", memory)


async def stored(world: World) -> set[bytes]:
    """Chunks and unsealed pushes."""
    keys = world.outbox.keys
    opened = {b"open:" + name for name in await world.client.zrange(keys.of("open"), 0, -1)}
    return opened | set(await world.client.keys("volley:{default}:chunk:*"))


async def test_with_its_memory_full_redis_takes_nothing_in_and_what_is_in_it_is_sent(small: World) -> None:
    """Planning, taking, settling, handing over from slice to slice, pausing: all of it, and arq can begin no job."""
    await small.begin(rate=100)
    await small.worker(SHORT_SLICES, VOLLEY_CONCURRENCY="10")
    campaign = await small.push(people(3000))
    await small.until(campaign, left=2700)
    await bound(small, FULL)
    before = await stored(small)
    with pytest.raises(TryAgainLater, match="memory"):
        await small.push(people(100, 5000))
    assert await stored(small) == before
    await small.outbox.pause(campaign.id)
    await small.outbox.resume(campaign.id)
    assert await small.outbox.add_optouts(campaign.profile, people(1, 2999)) == 1
    assert (await small.view(campaign)).planned_chunks < campaign.chunks, "there is planning to do"
    assert await small.until(campaign) == {"submitted": 2999, "opted_out": 1}
    assert max(small.reached().values()) == 1
    await bound(small, ROOM)
    assert await small.until(await small.push(people(100, 5000))) == {"submitted": 100}


async def test_a_worker_that_starts_while_the_memory_is_full_sends_what_is_there(small: World) -> None:
    await small.begin()
    campaign = await small.push(people(300))
    await bound(small, FULL)
    worker = await small.worker()
    assert await small.until(campaign) == {"submitted": 300}
    await eventually(lambda: shown(small))
    assert await small.stop(worker) == 0


async def shown(world: World) -> bool:
    return len(await world.outbox.workers()) == 1
