"""Many clients at once on one real server: whatever the order, nobody is granted twice and the sums hold."""

import asyncio
import random
from collections import Counter

import pytest
import redis.asyncio

from tests.redis.conftest import PROFILE, Rig, chunk_of, people, receipt, sender
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey
from volley.errors import UnusableInput
from volley.outbox.flights import Flight, Grant, refs
from volley.outbox.outbox import Outbox

CLIENTS = 30


@pytest.fixture
async def rigs(valkey: EmbeddedValkey, rig: Rig) -> list[Rig]:
    """As many workers, each with a connection of its own."""
    clients = [redis.asyncio.Redis.from_url(valkey.url) for _ in range(CLIENTS)]
    yield [Rig(Outbox(client, "test")) for client in clients]
    for client in clients:
        await client.aclose()


async def test_workers_that_take_at_once_share_and_never_overlap(rig: Rig, rigs: list[Rig]) -> None:
    await rig.pool(5, rate=100_000, account=100_000)
    campaign = await rig.push(*(chunk_of(people(100, 100 * k)) for k in range(6)))
    granted: list[int] = []

    async def work(mine: Rig) -> None:
        while flight := (await mine.take(7)).grants:
            granted.extend(g.to for g in flight)

    await asyncio.gather(*map(work, rigs))
    assert sorted(granted) == people(600)
    await rig.check(campaign)


async def test_planners_that_race_plan_each_chunk_once(rig: Rig, rigs: list[Rig]) -> None:
    await rig.pool(5, rate=100_000, account=100_000)
    chunks = [chunk_of(people(20, 20 * k)) for k in range(15)]
    campaign = await rig.push(*chunks, plan=False)
    done: list[int] = []

    async def work(mine: Rig) -> None:
        index = 0
        while index < len(chunks):
            planned, following, *_ = await mine.outbox.dispatch.plan(campaign.id, index, refs(index, chunks[index]))
            done.extend([index] * planned)
            index = following

    await asyncio.gather(*map(work, rigs))
    assert sorted(done) == list(range(15))
    await rig.check(campaign)


async def test_the_same_push_from_many_producers_is_one_campaign(rig: Rig, rigs: list[Rig]) -> None:
    await rig.pool()

    async def send(mine: Rig) -> str:
        campaign = await mine.open(chunk_of(people(3)), idempotency_key="k", content_hash="h")
        return (await mine.outbox.seal(campaign, key_ttl_s=60)).campaign_id

    assert len(set(await asyncio.gather(*map(send, rigs)))) == 1
    [view] = await rig.outbox.campaigns()
    assert view.counts["ready"] == 3
    assert len(await rig.ids("states")) == 1


Place = tuple[str, int, int]


class Melee:
    """Workers and meddlers in each other's way, and a record of who was granted, accepted or lost from sight."""

    def __init__(self, campaigns: list[Campaign]) -> None:
        self.campaigns = campaigns
        self.chance = random.Random(1)
        self.stop = asyncio.Event()
        self.accepted: Counter[Place] = Counter()
        self.sending: set[Place] = set()
        self.unknown: set[Place] = set()

    def begins(self, grant: Grant) -> None:
        place = (grant.campaign, grant.chunk, grant.offset)
        assert place not in self.sending | self.unknown
        assert not self.accepted[place]
        self.sending.add(place)

    async def verdict(self, mine: Rig, flight: Flight, grant: Grant) -> None:
        place = (grant.campaign, grant.chunk, grant.offset)
        state = self.chance.choices("a.?x", (6, 3, 1, 1))[0]
        self.sending.discard(place)
        if state in "a?":
            self.unknown.add(place)
        if self.chance.random() < 0.2 and state == "a":
            await mine.outbox.apply_receipts([receipt(*place)])
        mask = await mine.settle(flight, state, grant.position, flags=self.chance.choice((0, 1, 2, 4, 6, 8)))
        self.accepted[place] += mask == "a"

    async def work(self, mine: Rig) -> None:
        while not self.stop.is_set():
            flight = await mine.take(self.chance.randint(1, 20), life_s=self.chance.choice((30, 30, 30, 0.001)))
            for grant in flight.grants:
                self.begins(grant)
            if self.chance.random() < 0.1:
                self.sending -= {(grant.campaign, grant.chunk, grant.offset) for grant in flight.grants}
                await mine.outbox.dispatch.release(flight.token)
                continue
            for grant in flight.grants:
                await self.verdict(mine, flight, grant)

    async def meddle(self, mine: Rig) -> None:
        last = self.campaigns[3].id
        for turn in range(25):
            campaign = self.campaigns[turn % 3]
            await mine.outbox.pause(campaign.id)
            await mine.outbox.chores.reap(10)
            await mine.outbox.add_optouts(PROFILE, [people(200)[turn]])
            await mine.sync([sender(n, 100_000) for n in range(8) if n != turn % 9])
            for owner in await mine.outbox.chores.evicted():
                await mine.outbox.chores.evict(owner, 7)
            await mine.outbox.resume(campaign.id)
        await mine.outbox.cancel(last)
        with pytest.raises(UnusableInput):
            await mine.outbox.resume(last)
        self.stop.set()


async def test_everything_at_once_loses_and_doubles_nothing(rig: Rig, rigs: list[Rig]) -> None:
    """Takes, verdicts, receipts, reaping, pauses, a cancel, opt-outs and a changing pool, all in each other's way."""
    await rig.pool(8, rate=100_000, account=100_000)
    melee = Melee([await rig.push(*(chunk_of(people(40, 40 * k)) for k in range(5))) for _ in range(4)])
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        for mine in rigs[1:]:
            group.create_task(melee.work(mine))
        group.create_task(melee.meddle(rigs[0]))
    await rig.check(*melee.campaigns)
    assert max(melee.accepted.values()) == 1
    assert (await rig.counts(melee.campaigns[3])).get("ready", 0) == 0


async def test_nothing_is_granted_once_a_pause_has_been_acknowledged(rig: Rig, rigs: list[Rig]) -> None:
    await rig.pool(5, rate=100_000, account=100_000)
    campaign = await rig.push(*(chunk_of(people(100, 100 * k)) for k in range(10)))
    paused, late = asyncio.Event(), []

    async def work(mine: Rig) -> None:
        for _ in range(20):
            was = paused.is_set()
            flight = await mine.take(3)
            late.extend(flight.grants if was else ())

    async def hold() -> None:
        await rig.outbox.pause(campaign.id)
        paused.set()

    await asyncio.gather(hold(), *map(work, rigs))
    assert late == []
    await rig.check(campaign)
