"""What a worker posts is told to a server that has forgotten it: nothing goes out that no claim speaks of."""

from collections.abc import Sequence

from redis.exceptions import ConnectionError

from tests.redis.conftest import Rig, chunk_of, people
from tests.redis.hands import Worker
from volley.carrier.telnyx import Carrier
from volley.outbox.dispatch import Claim, Dispatch
from volley.outbox.scripts import reaching
from worker.memory import Memory

OTHER = "f" * 40


class Hearing(Dispatch):
    """A server that looks, while it hears claims, at what else would count meanwhile."""

    memory: Memory
    counted: list[str]

    async def reassert(self, claims: Sequence[Claim] = ()) -> tuple[str, list[int]]:
        if claims:
            self.counted.append(self.memory.run)
        return await super().reassert(claims)


def _away() -> None:
    with reaching():
        raise ConnectionError("gone")


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
