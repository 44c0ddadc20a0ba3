"""The sweeper's two rounds: what is urgent waits for nothing that may take long."""

import asyncio

from tests.redis.conftest import Rig, chunk_of, people
from volley.embedded import EmbeddedValkey
from volley.ending import ended
from volley.outbox.chores import Chores
from volley.outbox.queue import Queue, pool
from volley.outbox.scripts import Scripts
from worker.alone import Alone
from worker.sweep import Sweeper


class Slow(Chores):
    """A round that does not come to its end."""

    def __init__(self, scripts: Scripts) -> None:
        super().__init__(scripts, pin_days=8)
        self.round_began = asyncio.Event()
        self.looks: asyncio.Queue[int] = asyncio.Queue()

    async def give_up(self, after_us: int, most: int) -> int:
        self.round_began.set()
        await asyncio.Event().wait()
        return 0

    async def clock(self) -> int:
        jumped = await super().clock()
        self.looks.put_nowait(jumped)
        return jumped


async def test_a_round_that_takes_long_keeps_nobody_from_the_clock_and_overdue_flights(
    rig: Rig, valkey: EmbeddedValkey
) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(2)))
    rig.outbox.chores = chores = Slow(rig.outbox.scripts)
    arq = pool(valkey.url)
    sweeper = Sweeper(rig.outbox, Queue(arq, rig.outbox, "test"), Alone(), shards=1, retention_days=1)
    sweeping = [asyncio.create_task(each) for each in (sweeper.watch(), sweeper.run())]
    try:
        async with asyncio.timeout(20):
            await chores.round_began.wait()
            await rig.take(2, life_s=-1)
            for _ in range(chores.looks.qsize() + 2):
                await chores.looks.get()
            assert await rig.states(campaign) == "??"
    finally:
        await ended(sweeping)
        await arq.aclose()
