"""What people see of the outbox: read by plain commands, changing nothing."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

import orjson

from volley.campaign import Campaign, OnUnknown
from volley.outbox import terms, throughput
from volley.outbox.classes import Dealt
from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.sender import Sender
from volley.state import STATUS, State

STATES = {"r": "ready", "p": "paused", "c": "cancelled", "e": "expired"}
POLICIES: dict[str, OnUnknown] = {"h": "hold", "r": "retry", "g": "give-up"}
_TEMPO_SLOTS = 2

Listing = Literal["campaigns", "live", "gathered"]
"""All campaigns but those that gathered messages were made of; those in which something is open; those of gathered messages."""


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign and where it stands. `counts` has every hot status; times µs, 0 where nothing was taken yet.

    `state`: ready, paused, cancelled, expired, or finished (nothing ready, nothing being sent). `possibly_twice` were repeated
    under a key that nobody has proved; `possibly_lost` were given up while unknown; `repeating`: unknown ones, being asked about.
    """

    campaign: Campaign
    state: str
    counts: dict[str, int]
    sent_parts: int
    cost_micros: int
    first_us: int
    last_us: int
    sealed_us: int
    planned_chunks: int
    on_unknown: OnUnknown = "hold"
    possibly_twice: int = 0
    possibly_lost: int = 0
    repeating: int = 0
    terms: str = ""
    """The letters of the terms that it has, as lua/terms.lua has them."""
    paused_why: str = ""
    """If it paused itself."""
    judged_from: str = ""
    budget_left_micros: int | None = None
    stopped_by_budget: bool = False
    asleep_us: int = 0
    """When it wakes, if it waits by its terms."""

    @property
    def in_flight(self) -> int:
        return self.counts["sending"]

    @property
    def waiting(self) -> int:
        return self.counts["ready"]


@dataclass(frozen=True, slots=True)
class SenderView:
    """A sender, when it is free next, and whom it serves. `pins` is counted only where it was asked for (-1 otherwise)."""

    sender: Sender
    index: int
    free_us: int
    pins: int
    sent_today: int
    stopped_until_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProfileView:
    """One queue: `depth` messages are ready, the oldest since `oldest_us`. Rates are parts per second.

    `rate` is that of late, `allowed_rate` what a large push to new people may reach, `limit` what account and profile let
    pass, `own_rates` what each number of the pool makes. `weight`: of all its campaigns that are ready and wait. `unserved`:
    messages that wait because no sender of the pool may send to their country. `mms_limit` holds for MMS beside `limit`.
    `rests_until_us`: nothing of it is granted before, as it or the whole account rests; 0 where neither does.
    """

    profile: str
    depth: int
    oldest_us: int
    rate: float
    senders: int
    allowed_rate: float
    campaigns: list[str] = field(default_factory=list)
    limit: float = 0.0
    own_rates: Mapping[str, float] = field(default_factory=dict)
    weight: int = 0
    now_us: int = 0
    unserved: int = 0
    mms_limit: float = float("inf")
    rests_until_us: int = 0


def _number(fields: dict[bytes, bytes], name: str) -> int:
    return int(fields.get(name.encode(), 0))


def campaign_view(fields: dict[bytes, bytes], sealed_us: int, known: Campaign | None = None) -> CampaignView:
    """`known`: what never changes of it, where that has been read before; else it is in `fields`."""
    counts = {status: _number(fields, "n" + state) for state, status in STATUS.items()}
    open_ = counts[STATUS[State.READY]] + counts[STATUS[State.SENDING]]
    state = STATES[fields[b"st"].decode()]
    return CampaignView(
        campaign=terms.current(known or Campaign.from_json(fields[b"meta"]), fields),
        state="finished" if open_ == 0 and state in ("ready", "paused") else state,
        counts=counts,
        sent_parts=_number(fields, "sp"),
        cost_micros=_number(fields, "cm"),
        first_us=_number(fields, "f"),
        last_us=_number(fields, "l"),
        sealed_us=sealed_us,
        planned_chunks=_number(fields, "next"),
        on_unknown=POLICIES[fields.get(b"ou", b"h").decode()],
        possibly_twice=_number(fields, "pt"),
        possibly_lost=_number(fields, "gu"),
        repeating=_number(fields, "rf"),
        terms=fields.get(b"po", b"").decode(),
        stopped_by_budget=b"bz" in fields,
        paused_why=fields.get(b"py", b"").decode(),
        judged_from=fields.get(b"ab", b"").decode(),
        budget_left_micros=_number(fields, "tb") - _number(fields, "bc") - _number(fields, "bd")
        if b"tb" in fields
        else None,
    )


async def campaign(client: Redis, keys: Keys, campaign_id: str) -> CampaignView | None:
    fields = await client.hgetall(keys.campaign(campaign_id))
    if not fields:
        return None
    sealed = await client.zscore(keys.campaigns, campaign_id)
    asleep = await client.zscore(keys.of("asleep"), campaign_id) if b"po" in fields else None
    view = campaign_view(fields, int(sealed or 0))
    return replace(view, asleep_us=int(asleep or 0), sealed_us=view.sealed_us or view.campaign.created_us)


async def campaigns(client: Redis, keys: Keys, of: Listing = "campaigns") -> list[CampaignView]:
    """Newest first: all campaigns but those of gathered messages, or those in which something is open, or those of gathered ones."""
    ids = await client.zrevrange(keys.of(of), 0, -1, withscores=True)
    found = []
    for at in range(0, len(ids), 200):
        pipeline = client.pipeline(transaction=False)
        for name, _ in ids[at : at + 200]:
            pipeline.hgetall(keys.campaign(name.decode()))
        pipeline.execute_command("ZMSCORE", keys.of("asleep"), *(name for name, _ in ids[at : at + 200]))
        *fields, asleep = await pipeline.execute()
        found += [
            replace(campaign_view(each, int(sealed)), asleep_us=int(wakes or 0))
            for each, (_, sealed), wakes in zip(fields, ids[at : at + 200], asleep, strict=True)
            if each
        ]
    return found


async def senders(client: Redis, keys: Keys, profile: str | None, *, count_pins: bool = False) -> list[SenderView]:
    today = int(time.time() // 86400)
    info = [orjson.loads(value) for value in (await client.hgetall(keys.of("senderinfo"))).values()]
    mine = sorted(
        (fields for fields in info if profile in (None, fields["profile"])), key=lambda fields: fields["index"]
    )
    sent = await client.hgetall(keys.of("sent", today))
    stops = await client.hgetall(keys.of("stops"))
    free = await _free(client, keys, [fields["index"] for fields in mine])
    pins = await _pins(client, keys) if count_pins else {}
    found = []
    for fields, free_us in zip(mine, free, strict=True):
        index = fields.pop("index")
        sender = Sender(**fields)
        stop = orjson.loads(stops.get(b"s%d" % index, b"{}"))
        found.append(
            SenderView(
                sender=sender,
                index=index,
                free_us=free_us,
                pins=pins.get(index, 0) if count_pins else -1,
                sent_today=int(sent.get(b"%d" % index, 0)),
                stopped_until_us=int(stop.get("until", 0)),
                reason=stop.get("reason", sender.reason),
            )
        )
    return found


async def _free(client: Redis, keys: Keys, indices: list[int]) -> list[int]:
    """When each sender is free, µs; 0 for those that are not in the pool."""
    records = await client.hgetall(keys.of("sender"))
    pipeline = client.pipeline(transaction=False)
    for index in indices:
        _rate, p, class_, *_ = records[b"%d" % index].decode().split(" ")
        pipeline.execute_command("ZSCORE", keys.of("pool", f"c{p}.{class_}"), index)
    return [int(float(score or 0)) for score in await pipeline.execute()]


async def _pins(client: Redis, keys: Keys) -> dict[int, int]:
    """How many people each sender serves; walks all pins, so it is for people who ask, not for loops."""
    totals: dict[int, int] = {}
    async for key in client.scan_iter(match=keys.of("pin").replace("{", "[{]").replace("}", "[}]") + "*", count=1000):
        for value in await client.hvals(key):
            index, _day = divmod(int(value), 100_000)
            totals[index] = totals.get(index, 0) + 1
    return totals


async def pins(client: Redis, keys: Keys) -> dict[tuple[int, int], int]:
    """(profile index, recipient) → sender index, all of them: for reports on small populations."""
    held = {}
    async for key in client.scan_iter(match=keys.of("pin").replace("{", "[{]").replace("}", "[}]") + "*", count=1000):
        profile = int(key.removeprefix(keys.of("pin").encode()).split(b":", 1)[0])
        for recipient, value in (await client.hgetall(key)).items():
            held[profile, int.from_bytes(recipient, "big")] = int(value) // 100_000
    return held


async def profiles(client: Redis, keys: Keys, only: str | None = None) -> list[ProfileView]:
    """All profiles, or only one."""
    indices = await client.hgetall(keys.of("profile"))
    live = await campaigns(client, keys, "live")
    seconds, micros = await client.time()
    stops = await client.hgetall(keys.of("stops"))
    slots = [await client.hgetall(keys.of("tempo", int(seconds) // 10 - n)) for n in range(1, _TEMPO_SLOTS + 1)]
    found = []
    for profile, index in indices.items():
        name = profile.decode()
        if only not in (None, name):
            continue
        mine = [view for view in live if view.campaign.profile == name]
        waiting = [view for view in mine if view.waiting]
        parts = sum(int(slot.get(index, 0)) for slot in slots)
        pool = [view.sender for view in await senders(client, keys, name) if view.free_us]
        rates = await client.hgetall(keys.of("rates"))
        limits = [Decimal(int(rates[bucket])) / 1000 for bucket in (b"a", b"p" + index) if bucket in rates]
        weights, groups = await throughput.weights(client, keys, int(index)), throughput.group_rates(rates)
        found.append(
            ProfileView(
                profile=name,
                depth=sum(view.waiting for view in mine),
                oldest_us=min((view.sealed_us for view in waiting), default=0),
                rate=parts / (10 * _TEMPO_SLOTS),
                senders=sum(sender.type != "carrier_pool" for sender in pool),
                allowed_rate=round(float(throughput.effective(weights, pool, limits, groups)), 3),
                campaigns=[view.campaign.id for view in mine],
                limit=float(min(limits, default=Decimal("inf"))),
                own_rates={sender.number: throughput.own_rate(sender, groups) for sender in pool},
                weight=sum(view.campaign.weight for view in waiting if view.state == "ready"),
                now_us=int(seconds) * 1_000_000 + int(micros),
                unserved=await _unserved(client, keys, int(index), waiting),
                mms_limit=int(rates[b"m"]) / 1000 if b"m" in rates else float("inf"),
                rests_until_us=max(_until(stops.get(bucket)) for bucket in (b"h", b"a", b"p" + index)),
            )
        )
    return found


def _until(stop: bytes | None) -> int:
    return 0 if stop is None else int(orjson.loads(stop)["until"])


async def _unserved(client: Redis, keys: Keys, index: int, waiting: list[CampaignView]) -> int:
    nobody = Dealt((await client.hget(keys.of("classes"), str(index)) or b"").decode(), "").nobody
    if not nobody:
        return 0
    pipeline = client.pipeline(transaction=False)
    for view in waiting:
        pipeline.execute_command("LLEN", keys.of("lane", view.campaign.id, f"c{index}.{nobody}"))
    return sum(await pipeline.execute())
