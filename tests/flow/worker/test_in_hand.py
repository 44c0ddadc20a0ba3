"""Messages that are sealed and in lanes in one step, and for which no job is queued: each is found, and sent once, whatever is cut off."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests.chaos.proxy import Proxy, Way
from tests.flow.worker.conftest import World, eventually, people
from volley.campaign import Campaign, new_campaign_id
from volley.errors import TryAgainLater
from volley.outbox.chunks import Chunk, encode
from volley.outbox.connect import client
from volley.outbox.outbox import Outbox
from volley.outbox.pushes import Chunk as Last
from volley.outbox.pushes import Claimed, Sealed
from volley.outbox.scripts import source
from volley.sandbox.config import PROFILE_ID

CUTS = range(0, 8000, 600)
"""Bytes: admit, seal and plan with the names of all keys are some 2,000 each."""


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    address = urlsplit(world.valkey.url)
    with Proxy((address.hostname or "", address.port or 0)) as running:
        yield running


async def seal(outbox: Outbox, person: int) -> Sealed:
    """As `POST /v1/messages` does, with the person's number as the key, and nobody woken."""
    claims = ((f"key of {person}", "mark [[0, 0]]"),)
    facts = {"profile": PROFILE_ID, "template": "hello", "priority": "urgent", "accepted": 1, "chunks": 1}
    campaign = Campaign(new_campaign_id(), claims=claims, **facts)  # type: ignore[arg-type]
    last = Last(0, encode(Chunk([person], None, [], bytes([1]), bytes(1), [4000])), 1)
    return await outbox.seal(campaign, key_ttl_s=60, last=last)


async def cut_off(proxy: Proxy, person: int, after: int) -> None:
    """So many bytes of it reach Redis."""
    redis = client(f"redis://127.0.0.1:{proxy.port}/0")
    try:
        await redis.ping()
        proxy.set(there=Way(cut_after=after, end="fin"))
        with suppress(TryAgainLater):
            await seal(Outbox(redis, "default"), person)
    finally:
        proxy.clear()
        await redis.aclose()


async def standing(world: World) -> list[tuple[bool, bool]]:
    """Whether it is there, and in lanes: of each campaign of the cuts."""
    found = []
    for person in people(len(CUTS)):
        held = await world.outbox.find_key(f"key of {person}")
        view = await world.outbox.campaign(held[0]) if held else None
        found.append((view is not None, view is not None and view.planned_chunks == 1))
    return found


async def test_a_seal_that_is_cut_off_anywhere_and_made_again_sends_once(world: World, proxy: Proxy) -> None:
    await world.begin()
    for name in ("admit", "seal", "plan"):
        await world.outbox.scripts.client.script_load(source(name))
    for person, after in zip(people(len(CUTS)), CUTS, strict=True):
        await cut_off(proxy, person, after)
    stood = await standing(world)
    assert set(stood) == {(False, False), (True, False), (True, True)}, "before the seal, before the plan, behind it"
    await world.worker()

    async def found() -> bool:
        return len(world.reached()) == sum(sealed for sealed, _ in stood)

    await eventually(found)
    for person, (sealed, _) in zip(people(len(CUTS)), stood, strict=True):
        if sealed:
            with pytest.raises(Claimed):
                await seal(world.outbox, person)
        else:
            assert not (await seal(world.outbox, person)).existing

    async def all_are_sent() -> bool:
        return len(world.reached()) == len(CUTS)

    await eventually(all_are_sent)
    assert await world.stop(world.workers[0]) == 0
    assert world.reached() == Counter(people(len(CUTS)))


async def test_what_is_sealed_as_the_drain_goes_idle_or_behind_one_that_has_died_is_sent_once(world: World) -> None:
    await world.begin()
    chores = world.outbox.chores
    idle, dead = people(2)
    worker = await world.worker()

    async def is_there() -> bool:
        return len(await world.outbox.workers()) == 1

    await eventually(is_there)
    for person in (idle, dead):
        await chores.alive("drain:0")  # as a drain says that is at work: none is
        assert (await seal(world.outbox, person)).in_hand, "nobody is woken"
        if person == idle:
            await chores.done("drain:0")

        async def sent(person: int = person) -> bool:
            return world.reached()[person] == 1

        await eventually(sent)
    assert await world.stop(worker) == 0
    assert world.reached() == Counter((idle, dead))
