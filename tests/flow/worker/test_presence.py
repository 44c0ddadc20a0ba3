"""What a running worker says of itself, as those who watch hear it."""

from producer.sight.facts import Facts, WorkerFacts
from producer.sight.sight import Sight
from tests.flow.worker.conftest import World, eventually, people
from volley import __version__
from volley.sandbox.fault_rule import FaultRule


class Watcher:
    """Somebody who looks at one worker."""

    def __init__(self, world: World, pid: int) -> None:
        self._sight = Sight(world.outbox, "default")
        self._pid = pid

    async def facts(self) -> Facts:
        return await self._sight.facts(0)

    async def mine(self) -> WorkerFacts | None:
        return next((each for each in (await self.facts()).workers if each.pid == self._pid), None)

    async def says(self, why: str) -> bool:
        found = await self.mine()
        return found is not None and found.why == why

    async def counted(self, **wanted: int) -> bool:
        """Besides what a slow machine gave back unsent, as it came too late."""
        counts = {f"{each.outcome}_{each.code}": each.count for each in (await self.facts()).outcomes}
        counts.pop("not_sent_late", None)
        return counts == wanted


async def test_a_worker_says_its_release_and_what_came_of_its_attempts(world: World) -> None:
    await world.begin()
    process = await world.worker()
    watcher = Watcher(world, process.pid)
    await eventually(lambda: watcher.says("idle"))
    found = await watcher.mine()
    assert found is not None
    assert (found.version, found.taking) == (__version__, False)
    assert 0 <= found.loop_lag_seconds < 30
    await world.until(await world.push(people(30)))
    await world.fail(FaultRule(kind="status", status=400, code="40310"))
    await world.until(await world.push(people(3, 100)))
    await eventually(lambda: watcher.counted(accepted_=30, refused_40310=3))


async def test_a_worker_that_has_ended_is_gone_and_all_that_it_sent_is_counted(world: World) -> None:
    await world.begin()
    process = await world.worker()
    watcher = Watcher(world, process.pid)
    await eventually(lambda: watcher.says("idle"))
    await world.until(await world.push(people(30)))
    assert await world.stop(process) == 0
    assert await watcher.counted(accepted_=30)
    assert (await watcher.facts()).workers == ()


async def test_what_waits_is_told_when_no_worker_takes_and_when_none_is_there(world: World) -> None:
    await world.begin()
    process = await world.worker()
    watcher = Watcher(world, process.pid)
    await world.fail(FaultRule(kind="status", status=503))
    await world.push(people(400))
    await eventually(lambda: watcher.says("circuit"))
    assert (await watcher.facts()).circuit_open
    assert await world.stop(process) == 0
    facts = await watcher.facts()
    assert facts.workers == ()
    assert facts.total.ready > 0
    assert any(note.startswith("no worker is running") for note in facts.notes)
