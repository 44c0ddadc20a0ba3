"""A worker that ends leaves nothing behind: what it had asked of Redis by then is answered, and no word of it comes after its last."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.redis.conftest import Rig
from tests.redis.hands import Worker
from volley.carrier.telnyx import Carrier
from volley.outbox.chores import Chores
from volley.outbox.dispatch import Dispatch
from volley.outbox.flights import Flight
from volley.outbox.outcomes import read
from volley.pulse import Pulse
from worker.presence import Presence

LIFE_S = 15
A_MOMENT_S = 0.3
"""In which an end that waited for nothing would be over."""


class Slow:
    """What Redis has done and not answered yet."""

    def __init__(self) -> None:
        self.done, self.answered = asyncio.Event(), asyncio.Event()

    async def wait(self) -> None:
        self.done.set()
        await self.answered.wait()


class SlowDispatch(Dispatch):
    slow: Slow

    async def repeat(self, *args: Any, **options: Any) -> Flight:
        flight = await super().repeat(*args, **options)
        await self.slow.wait()
        return flight


class SlowChores(Chores):
    """Asked to show a worker, it takes its time."""

    slow: Slow

    async def show(self, worker: str, facts: dict[str, Any]) -> None:
        await self.slow.wait()
        await super().show(worker, facts)


def slow_dispatch(rig: Rig) -> Slow:
    rig.outbox.dispatch = made = SlowDispatch(rig.outbox.scripts, ledger_bound=1000, pin_days=8)
    made.slow = Slow()
    return made.slow


def slow_chores(rig: Rig) -> Slow:
    rig.outbox.chores = made = SlowChores(rig.outbox.scripts, pin_days=8)
    made.slow = Slow()
    return made.slow


@contextlib.asynccontextmanager
async def settling(worker: Worker) -> AsyncIterator[None]:
    """All that was handed over is settled when this ends."""
    task = asyncio.create_task(worker.settler.run())
    yield
    await worker.settler.drained()
    task.cancel()


async def test_what_is_granted_to_a_repeat_as_its_worker_ends_is_given_back_at_once(rig: Rig, carrier: Carrier) -> None:
    """Redis had granted it when the worker was told to end, and answers when nothing else is in flight."""
    await rig.pool()
    campaign = await rig.unknown(3)
    slow = slow_dispatch(rig)
    worker = Worker(rig, carrier)
    await worker.recover()
    async with settling(worker):
        running = asyncio.create_task(worker.drain.run())
        asking = asyncio.create_task(worker.repeat())
        await slow.done.wait()
        worker.drain.stop()
        ended, _ = await asyncio.wait([running], timeout=A_MOMENT_S)
        assert not ended
        slow.answered.set()
        await asyncio.gather(running, asking)
        assert worker.delivery.in_flight == 0
    assert not await rig.redis.zrange(rig.keys.of("flights"), 0, -1)
    soon = await rig.now_us() + LIFE_S * 1_000_000
    assert [doubt.next_us < soon for doubt in await rig.doubts(campaign)] == [True] * 3
    await rig.check(campaign)


async def test_a_worker_that_ends_asks_nothing_again(rig: Rig, carrier: Carrier) -> None:
    await rig.pool()
    campaign = await rig.unknown(3)
    worker = Worker(rig, carrier)
    await worker.recover()
    worker.drain.stop()
    assert await worker.repeat() == 0
    await worker.drain.run()
    assert not await rig.redis.zrange(rig.keys.of("flights"), 0, -1)
    await rig.check(campaign)


def presence_of(rig: Rig, worker: Worker) -> Presence:
    return Presence("one", rig.outbox, worker.drain, worker.delivery, worker.memory, Pulse("worker", {}))


async def test_a_worker_that_has_left_is_not_shown_again(rig: Rig, carrier: Carrier) -> None:
    """It was about to show itself when it left."""
    slow = slow_chores(rig)
    presence = presence_of(rig, Worker(rig, carrier))
    showing = asyncio.create_task(presence.run())
    await slow.done.wait()
    leaving = asyncio.create_task(presence.leave([]))
    await asyncio.wait([leaving], timeout=A_MOMENT_S)
    slow.answered.set()
    await asyncio.gather(leaving, showing)
    assert await rig.outbox.workers() == []
    assert not {"worker", "workers"} & await rig.left()


async def test_what_came_of_the_last_attempts_is_counted_as_a_worker_leaves(rig: Rig, carrier: Carrier) -> None:
    worker = Worker(rig, carrier)
    presence = presence_of(rig, worker)
    worker.delivery.outcomes.update({"accepted:": 5})
    showing = asyncio.create_task(presence.run())
    while await counted(rig) != {("accepted", ""): 5}:
        await asyncio.wait([showing], timeout=0.01)
    worker.delivery.outcomes.update({"accepted:": 2, "refused:40310": 1})
    await presence.leave([])
    await showing
    assert await counted(rig) == {("accepted", ""): 7, ("refused", "40310"): 1}


async def counted(rig: Rig) -> dict[tuple[str, str], int]:
    return read(await rig.redis.hgetall(rig.keys.of("outcomes")))
