"""The senders as those who watch see them: read every half a minute, as they change with a sync; what they sent, every five seconds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import orjson

from producer.sight.looking import Hash
from volley.outbox import throughput
from volley.outbox.classes import Dealt
from volley.outbox.outbox import Outbox
from volley.sender import Sender

SENDERS_S = 30.0
SENT_S = 5.0
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """`pooled`: it is in the pool now: active, and not out of it for a long rest."""

    index: int
    sender: Sender
    pooled: bool


@dataclass(frozen=True, slots=True)
class Pool:
    """A profile's senders. `own_rates`: number → parts/s of those in the pool; `allowed_rate`: of a large push, as far as the
    senders and their registered campaigns go; `senders_rate`: as the senders alone would."""

    profile: str
    members: tuple[Member, ...] = ()
    allowed_rate: Decimal = Decimal(0)
    own_rates: Mapping[str, float] = field(default_factory=dict)
    senders_rate: Decimal = Decimal(0)


NO_POOL = Pool("")


class Pools:
    """`of`: profile id → its pool. A sender that has not changed since the last read is not parsed again. `pins`: sender index →
    people, as they were counted last; None where nobody has. `groups`: parts/s of registered campaigns that have a limit.
    """

    def __init__(self) -> None:
        self.of: Mapping[str, Pool] = {}
        self.pins: Mapping[int, int] | None = None
        self.groups: Mapping[str, Decimal] = {}
        self._known: dict[bytes, tuple[bytes, bytes, Member]] = {}
        self._classes: Hash = {}

    async def read(self, outbox: Outbox, profiles: Mapping[str, str], rates: Hash) -> None:
        """`rates`: those of the account's buckets, as Redis has them. Redis errors pass through."""
        pipeline = outbox.redis.pipeline(transaction=False)
        for name in ("senderinfo", "sender", "classes", "pincount"):
            pipeline.hgetall(outbox.keys.of(name))
        info, records, classes, pins = await pipeline.execute()
        self.pins = {int(index): int(people) for index, people in pins.items() if index != b"at"} if pins else None
        before, self._known = self._known, {}
        groups = throughput.group_rates(rates)
        changed = len(before) != len(info) or self.of.keys() != profiles.keys()
        changed = changed or (classes, groups) != (self._classes, self.groups)
        for name, value in info.items():
            known = before.get(name)
            if known is None or known[0] != value or records.get(b"%d" % known[2].index, b"") != known[1]:
                known, changed = _member(value, records), True
            self._known[name] = known
        if changed:
            self._classes, self.groups = classes, groups
            self.of = self._dealt(profiles)

    def _dealt(self, profiles: Mapping[str, str]) -> Mapping[str, Pool]:
        by_profile: dict[str, list[Member]] = {name: [] for name in profiles}
        for _, _, member in self._known.values():
            by_profile.setdefault(member.sender.profile, []).append(member)
        return {
            name: _pool(name, members, self._classes.get(profiles.get(name, "").encode()), self.groups)
            for name, members in by_profile.items()
        }

    def everyone(self) -> Iterator[Member]:
        for pool in self.of.values():
            yield from pool.members


def _member(value: bytes, records: Hash) -> tuple[bytes, bytes, Member]:
    fields = orjson.loads(value)
    index = fields.pop("index")
    record = records.get(b"%d" % index, b"")
    words = record.split(b" ", 4)
    return value, record, Member(index, Sender(**fields), len(words) > 3 and words[3][:1] == b"a")


def _pool(profile: str, members: list[Member], classes: bytes | None, groups: Mapping[str, Decimal]) -> Pool:
    pooled = [each.sender for each in members if each.pooled]
    weights = {name: weight for name, weight in Dealt((classes or b"any 1").decode(), "").weights.items() if weight}
    own = {sender.number: throughput.own_rate(sender, groups) for sender in pooled}
    alone = throughput.effective(weights, pooled)
    return Pool(profile, tuple(members), throughput.effective(weights, pooled, (), groups), own, alone)


class Used:
    """What each sender sent of late, parts/s, from two looks at the day's counts."""

    def __init__(self) -> None:
        self._at_us = 0
        self._parts: dict[int, int] = {}
        self._rates: dict[int, float] | None = None

    @property
    def due_us(self) -> int:
        """When the next look is worth it."""
        return self._at_us + int(SENT_S * 1e6)

    async def look(self, outbox: Outbox, now_us: int) -> None:
        held = await outbox.redis.hgetall(outbox.keys.of("sent", now_us // _DAY_US))
        parts = {int(index): int(count) for index, count in held.items()}
        if self._at_us:
            # another day's counts begin at 0
            before = self._parts if self._at_us // _DAY_US == now_us // _DAY_US else {}
            passed_s = max((now_us - self._at_us) / 1e6, 1e-3)
            gone = {index: count - before.get(index, 0) for index, count in parts.items()}
            self._rates = {index: round(count / passed_s, 3) for index, count in gone.items() if count > 0}
        self._at_us, self._parts = now_us, parts

    def today(self, index: int) -> int:
        return self._parts.get(index, 0)

    def rate(self, index: int) -> float | None:
        """None before the second look."""
        return None if self._rates is None else self._rates.get(index, 0.0)
