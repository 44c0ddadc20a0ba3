"""What a worker posts is told to a server that has forgotten it: nothing goes out that no claim speaks of."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import pytest
from redis.exceptions import ConnectionError

from tests.redis.conftest import Rig, chunk_of, people
from volley.carrier.telnyx import Carrier
from volley.outbox.dispatch import Claim, Dispatch
from volley.outbox.flights import Grant
from volley.outbox.scripts import reaching
from worker.circuit import Circuit
from worker.delivery import Delivery
from worker.drain import Drain
from worker.memory import Memory
from worker.recovery import Recovery
from worker.settling import Settler
from worker.texts import Held, Texts

OTHER = "f" * 40


class Overtaken(Texts):
    """While texts are read something else happens."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    async def fetch(self, grants: Iterable[Grant]) -> Held:
        held = await super().fetch(grants)
        self.meanwhile()
        return held


class Hearing(Dispatch):
    """A server that looks, while it hears claims, at what else would count meanwhile."""

    memory: Memory
    counted: list[str]

    async def reassert(self, claims: Sequence[Claim] = ()) -> tuple[str, list[int]]:
        if claims:
            self.counted.append(self.memory.run)
        return await super().reassert(claims)


class Worker:
    def __init__(self, rig: Rig, carrier: Carrier) -> None:
        self.memory = Memory()
        self.texts, settler = Overtaken(rig.outbox, None), Settler(rig.outbox, self.memory)
        self.recovery = Recovery(rig.outbox, self.memory, settler)
        delivery = Delivery(carrier, self.texts, settler, Circuit(rig.outbox.dispatch), slots=50, max_attempts=5)
        self.delivery = delivery
        self.drain = Drain(
            rig.outbox, self.texts, delivery, self.memory, self.recovery, concurrency=50, http_timeout_s=5
        )
        self._dispatch = rig.outbox.dispatch

    async def recover(self) -> None:
        await self.recovery.heard((await self._dispatch.reassert())[0])

    async def repeat(self) -> int:
        """How many are posted."""
        await self.drain.repeat(10, honoured=True, give_up_us=86_400_000_000)
        return self.delivery.in_flight


def _away() -> None:
    with reaching():
        raise ConnectionError("gone")


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    """Nobody sends here: what is put waits."""
    async with Carrier("key", "http://127.0.0.1:9", concurrency=1, http_timeout_s=1) as made:
        yield made


async def test_what_a_worker_asks_again_is_remembered_as_what_it_sends(rig: Rig, carrier: Carrier) -> None:
    await rig.pool()
    await rig.unknown(3)
    worker = Worker(rig, carrier)
    await worker.recover()
    assert await worker.repeat() == 3
    tokens = {token.decode() for token in await rig.redis.zrange(rig.keys.of("flights"), 0, -1)}
    assert {claim.token for claim in worker.memory.claims()} == tokens


async def test_what_was_granted_before_another_server_was_told_is_given_back(rig: Rig, carrier: Carrier) -> None:
    """The texts are read from the new server already: it was told what this worker holds, and this flight was not of it."""
    await rig.pool()
    campaign = await rig.unknown(3)
    worker = Worker(rig, carrier)
    await worker.recover()
    worker.texts.meanwhile = lambda: setattr(worker.memory, "run", OTHER)
    assert await worker.repeat() == 0
    assert not await rig.redis.zrange(rig.keys.of("flights"), 0, -1)
    await rig.check(campaign)


async def test_redis_that_goes_away_while_texts_are_read_ends_no_worker(rig: Rig, carrier: Carrier) -> None:
    """Outbox says that it is away in its own words."""
    await rig.pool()
    campaign = await rig.unknown(3)
    worker = Worker(rig, carrier)
    await worker.recover()
    worker.texts.meanwhile = _away
    assert await worker.repeat() == 0
    assert not worker.drain.stopping
    assert worker.drain.failure is None
    assert not await rig.redis.zrange(rig.keys.of("flights"), 0, -1)
    await rig.check(campaign)


async def test_while_a_server_hears_claims_no_older_one_counts(rig: Rig, carrier: Carrier) -> None:
    """One that was cut off may still answer: what it grants then is in no claim."""
    await rig.pool()
    await rig.push(chunk_of(people(3)))
    hearing = Hearing(rig.outbox.scripts, ledger_bound=1000, pin_days=8)
    rig.outbox.dispatch = hearing
    worker = Worker(rig, carrier)
    hearing.memory, hearing.counted = worker.memory, []
    await worker.recover()
    worker.memory.took(await rig.take(), 60_000_000)
    worker.memory.run = OTHER
    await worker.recover()
    assert hearing.counted == [""]
    assert worker.memory.run not in ("", OTHER)
