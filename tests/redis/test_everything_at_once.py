"""All features at once, in real time, while syncs change the pool: never twice, never lost, never too fast, never by the wrong one."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from tests.redis.test_geomatch import local, neighbours
from tests.redis.test_mms import MEDIA
from tests.redis.test_pacing import Sent, worst_excess
from tests.redis.test_routes import british
from volley.campaign import Campaign
from volley.outbox.chunks import Chunk
from volley.outbox.dispatch import Outcomes
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, OTHER_SENDER, OUTCOME, Flight, Grant
from volley.sender import Sender, carrier_pool

RATES = {"a": 400, "m": 30, "gCX": 40, "gCY": 40}
OWN_RATE = 50
POOL = [
    *(replace(local(201 + n % 6, n, OWN_RATE), group=("", "CX", "CY")[n % 3], mms=True) for n in range(12)),
    *(replace(local(800, n, OWN_RATE, "toll_free"), mms=True) for n in range(3)),
    Sender("ACME", "alphanumeric", PROFILE, rate_milli=1000 * OWN_RATE, reach="!US,CA"),
    Sender(carrier_pool(PROFILE), "carrier_pool", PROFILE, rate_milli=1000 * OWN_RATE),
]


class Everything:
    """One run. `out`: what is granted and not given back; `sent`: each grant with its sender's index and number."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.campaigns: dict[str, Campaign] = {}
        self.chunks: dict[str, list[Chunk]] = {}
        self.planned: dict[str, int] = {}
        self.flights: list[Flight] = []
        self.out: set[tuple[str, int, int]] = set()
        self.sent: list[Grant] = []
        self.pool: dict[str, Sender] = {}
        self.british_by: tuple[str, ...] = ()

    async def sync(self, *, whole: bool = False) -> None:
        dice, here = self.random, []
        for sender in POOL:
            if sender.type in ("long_code", "toll_free") and not whole:
                reach = dice.choice(["*", "*", "US", "!GB", "GB"])
                sender = replace(sender, reach=reach, kept=dice.random() < 0.1, active=dice.random() < 0.9)
            if whole or dice.random() < 0.9:
                here.append(sender)
        routes = None if whole or dice.random() < 0.5 else {"GB": ("alphanumeric", "toll_free")}
        facts = {"sticky": whole or dice.random() < 0.7, "geomatch": not whole and dice.random() < 0.5}
        await self.rig.sync(here, routes=routes, **facts)
        self.pool = {sender.number: sender for sender in here}
        self.british_by = routes["GB"] if routes else ("long_code", "toll_free", "short_code")

    async def push(self) -> None:
        dice = self.random
        base = dice.randrange(0, 2000, 50)
        numbers = [*people(dice.randint(1, 50), base), *british(dice.randint(0, 20), base), *neighbours(203, 20)]
        chunks = [chunk_of(numbers, dice.randint(1, 3)), chunk_of(people(20, 5000 + base))]
        asked: dict[str, object] = {"media": MEDIA} if dice.random() < 0.3 else {}
        asked |= {"priority": "urgent"} if dice.random() < 0.3 else {}
        if dice.random() < 0.3:
            asked |= {"sender": dice.choice(POOL).number, "fallback": POOL[0].number, "refused": ("US",)}
        campaign = await self.rig.push(*chunks, plan=False, **asked)  # type: ignore[arg-type]
        self.campaigns[campaign.id], self.chunks[campaign.id], self.planned[campaign.id] = campaign, chunks, 0

    async def plan(self, name: str) -> None:
        if (at := self.planned[name]) < len(self.chunks[name]):
            self.planned[name] += await self.rig.plan(self.campaigns[name], at, self.chunks[name][at])

    async def take(self) -> None:
        flight = await self.rig.take(self.random.choice([5, 40, 100]), low_water=100)
        numbers = await self.rig.outbox.sender_numbers()
        for grant in flight.grants:
            place = (grant.campaign, grant.chunk, grant.offset)
            assert place not in self.out, "granted while it may be on its way"
            self.out.add(place)
            self.check_sender(grant, numbers[grant.sender])
        self.sent += flight.grants
        self.flights += [flight] if flight.grants else []
        for name in flight.hungry:
            await self.plan(name)

    def check_sender(self, grant: Grant, number: str) -> None:
        campaign, home = self.campaigns[grant.campaign], "GB" if str(grant.to).startswith("44") else "US"
        if campaign.sender:
            assert number == (campaign.fallback if home == "US" else campaign.sender)
            return
        sender = self.pool[number]
        types = self.british_by if home == "GB" else ("long_code", "toll_free", "short_code")
        assert sender.active
        assert sender.reaches(home)
        assert sender.type in types

    async def settle(self) -> None:
        if not self.flights:
            return
        flight = self.flights.pop(self.random.randrange(len(self.flights)))
        packed = b""
        for grant in flight.grants:
            state = self.random.choices("a.x?", [8, 2, 1, 1])[0]
            flags = self.random.choice([0, OTHER_SENDER, NO_ATTEMPT, NO_ATTEMPT | AT_HEAD]) if state == "." else 0
            delay_us = self.random.choice([0, 50_000]) if state == "." else 0
            packed += OUTCOME.pack(grant.position, state.encode(), flags, delay_us, 0, -1)
        mask = await self.rig.outbox.dispatch.settle([Outcomes(flight.token, packed)])
        back = [grant for grant, now in zip(flight.grants, mask.decode(), strict=True) if now == "."]
        self.out -= {(grant.campaign, grant.chunk, grant.offset) for grant in back}

    async def evict(self) -> None:
        for owner in await self.rig.outbox.chores.evicted():
            await self.rig.outbox.chores.evict(owner, self.random.choice([3, 500]))

    async def control(self) -> None:
        if self.campaigns:
            name = self.random.choice(list(self.campaigns))
            await self.rig.outbox.scripts.run("control", name, self.random.choice("pr"), b"", b"")

    async def rest(self) -> None:
        until = await self.rig.now_us() + self.random.randint(1000, 200_000)
        index = self.random.randint(1, len(await self.rig.outbox.sender_numbers()))
        await self.rig.outbox.scripts.run("rest", f"s{index}", until, "why", self.random.choice([0, 10**9]))
        await self.rig.outbox.chores.wake()

    async def wait(self) -> None:
        await asyncio.sleep(0.01)

    async def go(self, seconds: float) -> None:
        acts: list[Callable[[], Awaitable[None]]] = [
            self.take, self.settle, self.push, self.sync, self.evict, self.control, self.rest, self.wait,
        ]  # fmt: skip
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await self.random.choices(acts, [45, 15, 6, 4, 8, 4, 3, 15])[0]()
            await self.rig.check(*self.campaigns.values())

    async def check_rates(self) -> None:
        groups = {index: next(s.group for s in POOL if s.number == number)
                  for index, number in (await self.rig.outbox.sender_numbers()).items()}  # fmt: skip
        sent = [Sent(g.moment_us, g.parts, g.sender, g.campaign) for g in self.sent]
        of = {"a": sent, "m": [s for s in sent if self.campaigns[s.campaign].media]}
        of |= {f"g{group}": [s for s in sent if groups[s.sender] == group] for group in ("CX", "CY")}
        for bucket, rate in RATES.items():
            assert not of[bucket] or worst_excess(of[bucket], rate) <= 0, bucket
        for index in groups:
            own = [s for s in sent if s.sender == index]
            assert not own or worst_excess(own, OWN_RATE) <= 0

    async def finish(self) -> None:
        """Everybody is back and nothing is paused: what is ready goes, and then there is nothing to do."""
        await self.sync(whole=True)
        for bucket in [*RATES, *RATES]:
            await self.rig.rate(bucket, 100_000)
        await asyncio.sleep(0.25)
        await self.rig.outbox.chores.wake()
        for name in self.campaigns:
            await self.rig.outbox.scripts.run("control", name, "r", b"", b"")
        async with asyncio.timeout(20):
            while await self.rig.redis.zcard(self.rig.keys.of("live")) and await self.waiting():
                for name in self.campaigns:
                    await self.plan(name)
                await self.evict()
                await self.take()
                await self.settle()
            while (await self.rig.take()).why != "idle":
                await self.evict()
                await asyncio.sleep(0.02)

    async def waiting(self) -> bool:
        views = [await self.rig.outbox.campaign(name) for name in self.campaigns]
        return bool(self.flights) or any(view.waiting for view in views if view)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_changes_nobody_hears_twice_or_never_or_too_fast_or_from_the_wrong_one(
    rig: Rig, seed: int
) -> None:
    run = Everything(rig, seed)
    await run.sync(whole=True)
    for bucket, rate in RATES.items():
        await rig.rate(bucket, rate)
    await run.go(1.2)
    await run.check_rates()
    await run.finish()
    await rig.check(*run.campaigns.values())
