"""The parts of a snapshot beside the queues: workers, senders, rests, Redis, outcomes. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from typing import Any

from producer.sight.documents import moment
from producer.sight.facts import (
    ConservationFacts,
    DeliveryErrorFacts,
    LedgerFacts,
    OutcomeFacts,
    PoolFacts,
    RedisFacts,
    RestFacts,
    SenderFacts,
    ServeFacts,
    WorkerFacts,
)
from producer.sight.looking import Seen, Stop
from producer.sight.pools import Member, Pool, Used
from volley.carrier.labels import UNDELIVERED, meaning
from volley.outbox import outcomes as counted
from volley.outbox.findings import LIFE_S
from volley.outbox.rests import CARRIER, KINDS, STOPPED, RestView
from volley.outbox.serves import ServeView
from volley.outbox.workers import WorkerView

MOST_SENDERS = 100
MOST_RESTS = 100


def worker(view: WorkerView) -> WorkerFacts:
    return WorkerFacts(
        id=view.id,
        host=view.host,
        pid=view.pid,
        version=view.version,
        started=moment(view.started_us),
        seen=moment(view.seen_us),
        in_flight=view.in_flight,
        rate=round(view.rate, 2),
        loop_lag_seconds=view.loop_lag_s,
        taking=view.taking in ("yes", ""),
        why="" if view.taking == "yes" else view.taking,
    )


def serve(view: ServeView) -> ServeFacts:
    return ServeFacts(
        id=view.id,
        host=view.host,
        pid=view.pid,
        version=view.version,
        started=moment(view.started_us),
        seen=moment(view.seen_us),
        loop_lag_seconds=view.loop_lag_s,
        watching=view.watching,
    )


def sender(member: Member, used: Used, pins: Mapping[int, int] | None, seen: Seen) -> SenderFacts:
    each = member.sender
    stop = seen.stops.get(f"s{member.index}")
    state = state_of(member, stop, seen.now_us)
    resting = stop if state == "resting" else None
    return SenderFacts(
        number=each.number,
        profile=each.profile,
        type=each.type,
        rate=each.rate_milli / 1000,
        used=used.rate(member.index),
        pins=None if pins is None else pins.get(member.index, 0),
        sent_today=used.today(member.index),
        state=state,
        reason=resting.reason if resting else each.reason,
        until=moment(resting.until_us) if resting else None,
    )


def state_of(member: Member, stop: Stop | None, now_us: int) -> str:
    if stop and stop.until_us > now_us:
        return "resting"
    if not member.sender.active or not member.pooled:
        return "inactive"
    return "kept" if member.sender.kept else "active"


def pools(held: Iterable[Pool], used: Used, pins: Mapping[int, int] | None, seen: Seen) -> list[PoolFacts]:
    """Senders by profile and type."""
    found = []
    for pool in held:
        by_type: dict[str, list[Member]] = {}
        for member in pool.members:
            by_type.setdefault(member.sender.type, []).append(member)
        found += [_pool(pool.profile, name, members, used, pins, seen) for name, members in sorted(by_type.items())]
    return found


def _pool(
    profile: str, name: str, members: list[Member], used: Used, pins: Mapping[int, int] | None, seen: Seen
) -> PoolFacts:
    states: Counter[str] = Counter()
    rate_milli, sent, known = 0, 0.0, False
    for member in members:
        state = state_of(member, seen.stops.get(f"s{member.index}"), seen.now_us)
        states[state] += 1
        rate_milli += member.sender.rate_milli if state in ("active", "kept") else 0
        rate = used.rate(member.index)
        known, sent = known or rate is not None, sent + (rate or 0.0)
    people = None if pins is None else sum(pins.get(member.index, 0) for member in members)
    return PoolFacts(profile, name, dict(states), rate_milli / 1000, round(sent, 3) if known else None, people)


def shown(held: Iterable[Pool], used: Used, seen: Seen) -> list[Member]:
    """The senders worth a look: those that rest, then those that use most of their rate."""

    def rank(member: Member) -> tuple[bool, float, int]:
        stop = seen.stops.get(f"s{member.index}") if seen.stops else None
        share = (used.rate(member.index) or 0.0) / max(member.sender.rate_milli, 1)
        return (not (stop and stop.until_us > seen.now_us), -share, member.index)

    members = (member for pool in held for member in pool.members if member.sender.type != "carrier_pool")
    return nsmallest(MOST_SENDERS, members, key=rank)


def rests(seen: Seen, numbers: Mapping[int, str]) -> list[RestView]:
    """What rests now: an open circuit first, then the account, profiles, groups, senders."""
    names = {index: name for name, index in seen.profiles.items()}
    found = []
    for bucket, stop in seen.stops.items():
        kind, index = bucket[0], bucket[1:]
        name = {"p": names.get(index), "s": numbers.get(int(index)) if kind == "s" else None}.get(kind) or index
        if stop.until_us > seen.now_us:
            found.append(RestView(KINDS[kind], name, stop.until_us, stop.reason))
    order = list(KINDS.values())
    found.sort(key=lambda rest: (order.index(rest.what), rest.name))
    circuit = [RestView(CARRIER, "", seen.circuit.until_us, seen.circuit.reason)] if seen.circuit else []
    return [*circuit, *found]


def rest(view: RestView, account: str) -> RestFacts:
    name = account if view.what in ("account", "mms", CARRIER, STOPPED) else view.name
    until = None if view.what == STOPPED else moment(view.until_us)
    return RestFacts(view.what, name, until, view.reason)


def outcomes(seen: Seen) -> list[OutcomeFacts]:
    found = sorted(counted.read(seen.outcomes).items())
    return [OutcomeFacts(kind, code, count, meaning(code)) for (kind, code), count in found if kind != UNDELIVERED]


def delivery_errors(seen: Seen) -> list[DeliveryErrorFacts]:
    """The most frequent first."""
    counts = {code: count for (kind, code), count in counted.read(seen.outcomes).items() if kind == UNDELIVERED}
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [DeliveryErrorFacts(code, count, meaning(code)) for code, count in ordered]


def ledger(seen: Seen, bound: int) -> LedgerFacts:
    lag_s = max(0.0, (seen.now_us - seen.ledger_since_us) / 1e6) if seen.ledger_since_us else 0.0
    return LedgerFacts(round(lag_s, 3), seen.ledger_entries, bound)


def redis(seen: Seen) -> RedisFacts:
    info: dict[str, Any] = seen.info
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    enabled = bool(info.get("aof_enabled"))
    wrote = info.get("aof_last_write_status", "ok")
    return RedisFacts(
        version=str(info.get("valkey_version") or info.get("redis_version", "")),
        role=str(info.get("role", "")),
        replicas=int(info.get("connected_slaves", 0)),
        used_bytes=used,
        max_bytes=most,
        used_ratio=round(used / most, 4) if most else 0.0,
        fragmentation=float(info.get("mem_fragmentation_ratio", 0)),
        evicted_keys=int(info.get("evicted_keys", 0)),
        aof_enabled=enabled,
        aof_ok=enabled and wrote == "ok",
        aof_error="" if wrote == "ok" else "the last write or fsync of the append-only file failed",
        aof_rewriting=bool(info.get("aof_rewrite_in_progress")),
        commands_per_second=int(info.get("instantaneous_ops_per_sec", 0)),
        clients=int(info.get("connected_clients", 0)),
        cpu_seconds=round(float(info.get("used_cpu_user", 0)) + float(info.get("used_cpu_sys", 0)), 3),
        uptime_seconds=int(info.get("uptime_in_seconds", 0)),
        held=seen.held_until_us > seen.now_us,
    )


def conservation(seen: Seen) -> ConservationFacts:
    fresh = [each for each in seen.findings if each["at_us"] > seen.now_us - LIFE_S * 1_000_000]
    says = dict.fromkeys(str(breach["says"]) for each in fresh for breach in each["broken"])
    at_us = max((each["at_us"] for each in fresh), default=0)
    age_s = round(max(0, seen.now_us - at_us) / 1e6, 1) if at_us else None
    return ConservationFacts(max((each["checked"] for each in fresh), default=0), age_s, tuple(says))
