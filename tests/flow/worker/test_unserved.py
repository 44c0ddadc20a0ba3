"""People whom no number may serve: they are planned once, keep nobody busy, and go as soon as somebody may serve them."""

from dataclasses import replace

from tests.flow.worker.conftest import World, eventually, people
from volley.sandbox.config import PROFILE_ID
from volley.sender import Sender

BRITISH = [447400100000 + n for n in range(1200)]


async def join(world: World, **fields: str) -> None:
    made = [Sender(n, "long_code", PROFILE_ID, rate_milli=2_000_000) for n in world.numbers]
    await world.outbox.sync_senders(PROFILE_ID, [replace(made[0], **fields), *made[1:]])  # type: ignore[arg-type]


async def test_those_whom_nobody_may_serve_keep_no_worker_busy_and_go_when_somebody_may(world: World) -> None:
    await world.begin(senders=1)
    await join(world, reach="US")
    await world.worker()
    campaign = await world.push(people(200) + BRITISH)
    await world.until(campaign, left=len(BRITISH))

    async def quiet() -> bool:
        view = await world.view(campaign)
        due = await world.client.zcard(world.outbox.keys.of("due"))
        return view.planned_chunks == campaign.chunks and view.in_flight == 0 and due == 0

    await eventually(quiet)
    assert await world.counts(campaign) == {"submitted": 200, "ready": len(BRITISH)}
    await join(world, reach="US,GB")
    assert await world.until(campaign) == {"submitted": 200 + len(BRITISH)}
    assert max(world.reached().values()) == 1
