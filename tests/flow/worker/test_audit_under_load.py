"""The audit looks on while everything happens that may: sending, retries, kills, pauses, cancels. It finds nothing, and then does."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.audit.watch import Watch
from producer.audit.whole import Whole
from tests.flow.worker.conftest import World, eventually, people
from volley.ledger.engine import open_ledger, upgrade
from volley.ledger.recorder import Recorder
from volley.sandbox.fault_rule import FaultRule

DAYS = 30.0
FAULTS = (
    FaultRule(kind="status", status=429, code="10011", every=211, retry_after=0.1),
    FaultRule(kind="status", status=400, code="40008", every=37),
    FaultRule(kind="lost", every=53),
    FaultRule(kind="hangup", share=0.02),
)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    found = open_ledger(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    await upgrade(found)
    yield found
    await found.dispose()


async def test_the_audit_never_cries_wolf_and_still_sees_one(world: World, engine: AsyncEngine) -> None:
    await world.begin(rate=120)
    await world.fail(*FAULTS)
    recorder = Recorder(world.outbox, engine, name="tests")
    recording = asyncio.create_task(recorder.run())
    watch = Watch(world.outbox, engine, "tests", retention_days=DAYS, pause_s=0)
    try:
        for _ in range(2):
            await world.worker()  # both are killed, and one more comes
        first = await world.push(people(2400))
        mischief = asyncio.create_task(trouble(world, watch))
        while not mischief.done():
            await watch.round()
            assert not watch.broken, [breach.words for breach in watch.broken]
        await mischief
        assert watch.rounds > 20
        assert watch.checked == 3
        document = await Whole(world.outbox, engine, DAYS, pause_s=0).run(None)
        assert (document["broken"], document["notes"]) == ([], [])
        for worker in world.workers[2:]:
            await world.stop(worker)
        await world.client.hincrby(world.outbox.keys.campaign(first.id), "na", -1)
        await watch.round()
        assert first.id in {breach.campaign for breach in watch.broken}
    finally:
        recorder.stop()
        await recording


async def trouble(world: World, watch: Watch) -> None:
    """Some seconds of it, with other campaigns beside, and no fewer than it takes to look at it so often."""
    dice = random.Random(3)
    await asyncio.sleep(1)
    small = await world.push(people(300, 5000), priority="urgent")
    world.workers[0].send_signal(signal.SIGKILL)
    await world.workers[0].wait()
    await world.worker()
    doomed = await world.push(people(1500, 9000))
    for _ in range(6):
        await world.outbox.pause(small.id) if dice.random() < 0.3 else None
        await asyncio.sleep(0.4)
        await world.outbox.scripts.run("control", small.id, "r")
    world.workers[1].send_signal(signal.SIGKILL)
    await world.outbox.cancel(doomed.id)
    await asyncio.sleep(2)
    await world.until(small)

    async def nothing_flies() -> bool:
        return not (await world.view(doomed)).in_flight

    async def was_looked_at() -> bool:
        return watch.rounds > 20

    await eventually(nothing_flies)
    await eventually(was_looked_at)
