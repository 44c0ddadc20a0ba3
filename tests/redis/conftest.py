"""Campaigns and pools for the scripts' tests: real pushes, small; and a look at every place a message can be in."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import redis.asyncio

from volley.campaign import Campaign, new_campaign_id
from volley.carrier.telnyx import Carrier
from volley.outbox.chunks import Chunk, encode
from volley.outbox.conservation import judged
from volley.outbox.dispatch import Outcomes
from volley.outbox.doubts import SPOT, Doubt, of_campaign
from volley.outbox.events import MOVE, ReceiptRecord
from volley.outbox.flights import OUTCOME, Flight, grants, refs
from volley.outbox.outbox import Outbox
from volley.outbox.snapshot import snapshot
from volley.profile import ProfileFacts
from volley.sender import Sender

PROFILE = "40017b3d-0000-4000-8000-000000000001"
OTHER_PROFILE = "40017b3d-0000-4000-8000-000000000002"
Place = tuple[str, int, int]


def chunk_of(numbers: list[int], parts: int = 1) -> Chunk:
    n = len(numbers)
    return Chunk(numbers, None, [], bytes([parts]) * n, bytes(n), [4000] * n)


def people(n: int, start: int = 0) -> list[int]:
    return [12025550000 + start + i for i in range(n)]


def sender(n: int, rate: float = 1000, **fields: object) -> Sender:
    facts = {"type": "long_code", "profile": PROFILE, "rate_milli": int(rate * 1000)} | fields
    return Sender(f"+1202555{9000 + n}", **facts)  # type: ignore[arg-type]


def receipt(campaign: str, chunk: int, offset: int) -> ReceiptRecord:
    numbers = [0] * 4
    return ReceiptRecord(
        secrets.token_hex(8), "message.finalized", 1, 2, campaign, chunk, offset, "id", "delivered", "+1", "+2", "GSM-7",
        1, *numbers[:3], "USD", 1, 2, "", "",
    )  # fmt: skip


class Rig:
    """An outbox with the moves of a test in short words."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.redis = outbox.redis
        self.keys = outbox.keys

    async def pool(self, count: int = 3, rate: float = 1000, account: float = 10_000, **weights: int) -> None:
        await self.sync([sender(i, rate) for i in range(count)], weights)
        await self.rate("a", account)

    async def sync(
        self, senders: list[Sender], weights: dict[str, int] | None = None, profile: str = PROFILE, **asked: object
    ) -> None:
        """`asked`: facts of the profile by name, and `routes`."""
        routes = asked.pop("routes", None)
        facts = ProfileFacts(profile, **asked) if asked else None  # type: ignore[arg-type]
        await self.outbox.sync_senders(profile, senders, weights or None, facts=facts, routes=routes)  # type: ignore[arg-type]

    async def rate(self, bucket: str, parts_per_s: float) -> None:
        await self.redis.hset(self.keys.of("rates"), mapping={bucket: int(parts_per_s * 1000)})

    async def open(self, *chunks: Chunk, **fields: object) -> Campaign:
        """Admitted, not sealed."""
        facts = {"profile": PROFILE, "template": "hello", **fields}
        campaign = Campaign(new_campaign_id(), accepted=sum(map(len, chunks)), chunks=len(chunks), **facts)  # type: ignore[arg-type]
        await self.outbox.begin(campaign.id)
        for index, chunk in enumerate(chunks):
            await self.outbox.admit(campaign.id, index, encode(chunk), len(chunk))
        return campaign

    async def push(
        self, *chunks: Chunk, plan: bool = True, refused: tuple[str, ...] = (), **fields: object
    ) -> Campaign:
        campaign = await self.open(*chunks, **fields)
        await self.outbox.seal(campaign, key_ttl_s=60, refused=refused)
        for index, chunk in enumerate(chunks if plan else ()):
            assert await self.plan(campaign, index, chunk)
        return campaign

    async def plan(self, campaign: Campaign, index: int, chunk: Chunk) -> bool:
        return (await self.outbox.dispatch.plan(campaign.id, index, refs(index, chunk)))[0]

    async def take(self, want: int = 100, *, life_s: float = 60, low_water: int = 0) -> Flight:
        token = secrets.token_urlsafe(12)
        return await self.outbox.dispatch.take(token, want, life_us=int(life_s * 1e6), low_water=low_water)

    async def repeat(
        self, want: int = 100, *, honoured: bool = True, life_s: float = 60, give_up_s: float = 86_400
    ) -> Flight:
        token = secrets.token_urlsafe(12)
        return await self.outbox.dispatch.repeat(
            token, want, honoured=honoured, life_us=int(life_s * 1e6), give_up_us=int(give_up_s * 1e6)
        )

    async def look_now(self) -> None:
        """All doubts are due."""
        doubts = self.keys.of("doubts")
        for spot in await self.redis.zrange(doubts, 0, -1):
            await self.redis.zadd(doubts, {spot: 1})

    async def age(self, ago_us: int) -> None:
        """All doubts are that old, and due."""
        unknown = self.keys.of("unknown")
        for spot, packed in (await self.redis.hgetall(unknown)).items():
            first = (await self.now_us() - ago_us).to_bytes(8, "big")
            await self.redis.execute_command("HSET", unknown, spot, packed[:17] + first + packed[25:])
        await self.look_now()

    async def tallies(self, campaign: Campaign) -> dict[str, int]:
        fields = await self.redis.hgetall(self.keys.campaign(campaign.id))
        return {name: int(fields.get(name.encode(), 0)) for name in ("gu", "pt", "rf")}

    async def unknown(self, count: int = 1, *, parts: int = 1, **fields: object) -> Campaign:
        """A campaign whose messages are all unknown, and their doubts due."""
        campaign = await self.push(chunk_of(people(count), parts), **fields)
        for flight in await self.take_all(count):
            await self.settle(flight, "?")
        await self.look_now()
        return campaign

    async def doubts(self, campaign: Campaign) -> list[Doubt]:
        """In order of their messages."""
        return sorted([doubt async for doubt in of_campaign(self.redis, self.keys, campaign.id)])

    async def take_all(self, n: int) -> list[Flight]:
        """Takes until `n` messages are granted; what the rate holds back comes a little later."""
        flights, got = [], 0
        async with asyncio.timeout(10):
            while got < n:
                flights.append(await self.take())
                got += len(flights[-1].grants)
                await asyncio.sleep(0 if flights[-1].grants else 0.01)
        assert got == n
        return [flight for flight in flights if flight.grants]

    async def settle(
        self, flight: Flight, state: str, *positions: int, flags: int = 0, delay_us: int = 0, parts: int = 0,
        cost: int = -1, payload: bytes = b"attempts",
    ) -> str:  # fmt: skip
        """One state for some positions of a flight, or for all."""
        wanted = positions or range(len(flight.grants))
        packed = b"".join(OUTCOME.pack(n, state.encode(), flags, delay_us, parts, cost) for n in wanted)
        return (await self.outbox.dispatch.settle([Outcomes(flight.token, packed)], payload)).decode()

    async def states(self, campaign: Campaign) -> str:
        texts = [await self.redis.get(self.keys.states(campaign.id, k)) or b"" for k in range(campaign.chunks)]
        return b"".join(texts).decode()

    async def counts(self, campaign: Campaign) -> dict[str, int]:
        view = await self.outbox.campaign(campaign.id)
        assert view is not None
        return {status: n for status, n in view.counts.items() if n}

    async def told(self) -> list[tuple[str, str, int, int, str]]:
        """(why, campaign, chunk, offset, state) of all moves that only Redis saw."""
        found = []
        for _, fields in await self.redis.xrange(self.keys.ledger):  # type: ignore[attr-defined]
            if fields[b"k"] == b"moves":
                why = fields[b"w"].decode()
                found += [(why, c.decode(), k, o, s.decode()) for c, k, o, s, *_ in MOVE.iter_unpack(fields[b"p"])]
        return found

    async def left(self) -> set[str]:
        """Names of the keys that are there, without account and ids."""
        return {name.split(b":")[2].decode() for name in await self.redis.keys("volley:{*")}  # type: ignore[attr-defined]

    async def now_us(self) -> int:
        seconds, micros = await self.redis.time()
        return seconds * 1_000_000 + micros

    async def ids(self, name: str) -> dict[str, bytes]:
        """What is appended to a key's prefix → the whole key."""
        prefix = self.keys.of(name)
        return {key.decode("latin-1").removeprefix(prefix): key for key in await self.redis.keys(glob(prefix) + "*")}  # type: ignore[attr-defined]

    async def check(self, *campaigns: Campaign, forgetful: bool = False) -> None:
        """What must hold at every moment between two scripts.

        `forgetful`: the server was rolled back, so lanes may hold places of messages that are not ready; take drops them.
        """
        repeats = await self._repeats()
        assert not [place for place, n in repeats.items() if n > 1], "a message is repeated twice at once"
        for campaign in campaigns:
            seen = await snapshot(self.outbox, campaign.id)
            assert seen is not None
            assert seen.places is not None
            found = judged(seen)
            assert not found, "; ".join(breach.words for breach in found)
            stale = [spot for spot in seen.places.lanes if seen.state(spot) not in ("", ".")]
            assert forgetful or not stale, f"{stale} are in a lane and not ready"
            await self._check_doubts(campaign, repeats)
        await self._check_lines()

    async def flying(self, *campaigns: Campaign) -> set[tuple[str, int, int]]:
        """What is in a flight and not settled."""
        seen = [await snapshot(self.outbox, campaign.id) for campaign in campaigns]
        return {(each.campaign.id, *spot) for each in seen if each and each.places for spot in each.places.flying}

    async def _check_doubts(self, campaign: Campaign, repeats: Counter[Place]) -> None:
        """What is unknown has a doubt, due or in flight, or was given up; nothing else has one."""
        held = {SPOT.unpack(spot) for spot in await self.redis.hkeys(self.keys.of("unknown"))}  # type: ignore[attr-defined]
        due = {SPOT.unpack(spot) for spot in await self.redis.zrange(self.keys.of("doubts"), 0, -1)}
        given_up = 0
        for k in range(campaign.chunks):
            states = (await self.redis.get(self.keys.states(campaign.id, k)) or b"").decode()
            for offset, state in enumerate(states):
                place, packed = (campaign.id, k, offset), (campaign.id.encode(), k, offset)
                if state != "?":
                    assert packed not in held | due, f"{place} is {state!r} and has a doubt"
                elif packed in held:
                    assert (packed in due) + repeats[place] == 1, f"{place} is unknown and nobody will look at it"
                else:
                    given_up += 1
        fields = await self.redis.hgetall(self.keys.campaign(campaign.id))
        assert int(fields.get(b"rf", 0)) == sum(n for place, n in repeats.items() if place[0] == campaign.id)
        assert int(fields.get(b"gu", 0)) >= given_up, "a message is unknown and forgotten"
        assert given_up == 0 or fields[b"ou"] == b"g"

    async def _check_lines(self) -> None:
        """A lane that holds something is looked at: its owner is known to take, or to the sweeper."""
        evicted = {owner.decode() for owner in await self.redis.smembers(self.keys.of("evict"))}
        for name in await self.ids("lane"):
            campaign, owner = name.split(":")
            fields = await self.redis.hgetall(self.keys.campaign(campaign))
            if fields[b"st"] != b"r" or 0 < int(fields[b"x"]) <= await self.now_us():
                continue
            if await self.redis.zscore(self.keys.of("asleep"), campaign) is not None:
                continue  # it is woken into its lines
            if b"bz" in fields:
                continue  # its budget is spent
            which, profile = fields[b"pr"].decode(), fields[b"p"].decode()
            assert await self.redis.zscore(self.keys.of("ready", which, owner), campaign) is not None, (
                "lane out of line"
            )
            served = await self._served(which, profile, owner, named=fields[b"sd"] != b"")
            assert served or owner in evicted, "forgotten owner"

    async def _served(self, which: str, profile: str, owner: str, *, named: bool) -> bool:
        active = profile.encode() in await self.redis.smembers(self.keys.of("active", which))
        if ".nobody~" in owner:
            return owner.split(".")[1].encode() in await self.redis.hget(self.keys.of("classes"), profile)
        if owner.startswith("c"):
            return active and owner.encode() in await self.redis.smembers(self.keys.of("shared", which, profile))
        state = (await self.redis.hget(self.keys.of("sender"), owner[1:]) or b"").split(b" ")[3].decode()
        if state[0] == "x":
            return named  # nobody else may send it: wake or sync brings it back
        return active and await self.redis.zscore(self.keys.of("busy", which, profile), owner[1:]) is not None

    async def _repeats(self) -> Counter[Place]:
        """What is in a flight of repeats and not settled."""
        found: Counter[Place] = Counter()
        for key in (await self.ids("flight")).values():
            packed = await self.redis.get(key) or b""
            at = 4 + 16 * packed[1]
            held = [grant for grant in grants(packed, 0) if packed[at + grant.position] == ord("r")]
            found.update((grant.campaign, grant.chunk, grant.offset) for grant in held)
        return found


def glob(prefix: str) -> str:
    return prefix.replace("{", "[{]").replace("}", "[}]")


@pytest.fixture
async def outbox(db: redis.asyncio.Redis) -> Outbox:
    return Outbox(db, "test")


@pytest.fixture
def rig(outbox: Outbox) -> Rig:
    return Rig(outbox)


@pytest.fixture
def pool(rig: Rig) -> Callable[..., Awaitable[None]]:
    return rig.pool


@pytest.fixture
def push(rig: Rig) -> Callable[..., Awaitable[Campaign]]:
    return rig.push


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    """Nobody sends here: what is put waits."""
    async with Carrier("key", "http://127.0.0.1:9", concurrency=1, http_timeout_s=1) as made:
        yield made
