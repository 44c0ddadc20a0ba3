"""A worker that meets what a newer release made ends, says why, and leaves everything in a state that is known."""

import asyncio

from tests.deploy.manager import ManagerSocket
from tests.flow.worker.conftest import PATIENCE_S, World, eventually, people
from volley.campaign import Campaign, new_campaign_id
from volley.outbox.chunks import Chunk, encode
from volley.outbox.flights import refs
from volley.sandbox.config import PROFILE_ID


async def _newer(world: World, numbers: list[int]) -> Campaign:
    """A campaign whose chunk only a newer release can read, and which such a one has planned."""
    n = len(numbers)
    chunk = Chunk(numbers, None, [], bytes([1]) * n, bytes(n), [4000] * n)
    campaign = Campaign(new_campaign_id(), PROFILE_ID, "hello", accepted=n, chunks=1)
    await world.outbox.begin(campaign.id)
    await world.outbox.admit(campaign.id, 0, b"\x09" + encode(chunk)[1:], n)
    await world.outbox.seal(campaign, key_ttl_s=60)
    await world.outbox.dispatch.plan(campaign.id, 0, refs(0, chunk))
    return campaign


async def test_a_worker_that_cannot_read_a_chunk_ends_what_it_sends_and_leaves_nothing_unknown(world: World) -> None:
    """In order, as a signal would end it: its manager hears that it stops, and its share of draining is anybody's at once."""
    await world.begin(latency_ms=(600, 800))
    with ManagerSocket(world.folder) as manager:
        worker = await world.worker(NOTIFY_SOCKET=str(manager.path))
        ours = await world.push(people(200))

        async def sending() -> bool:
            return (await world.counts(ours)).get("sending", 0) > 20

        await eventually(sending)
        newer = await _newer(world, people(10, 1000))
        async with asyncio.timeout(PATIENCE_S):
            assert await worker.wait() == 1
        assert manager.all("STOPPING") == ["1"]
    seconds, _ = await world.client.time()
    freed_us = await world.client.zscore(world.outbox.keys.of("due"), "drain:0")
    assert freed_us is not None
    assert freed_us < (seconds + 1) * 1_000_000
    assert await world.counts(newer) == {"ready": 10}
    assert (await world.counts(ours)).keys() <= {"submitted", "ready"}
    assert len(world.arrivals()) == (await world.counts(ours)).get("submitted", 0)
