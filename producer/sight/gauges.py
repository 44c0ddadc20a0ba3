"""A snapshot as Prometheus metrics. No label names a person, a message, a campaign, a sender or a worker: their number has no bound.

Profiles are named as far as MOST_PROFILES goes, the deepest queues first; the others are one, `others`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from producer.sight.facts import Facts, PoolFacts, QueueFacts, ServeFacts, Waits, WorkerFacts
from producer.sight.portrait import shortened
from producer.sight.totals import Totals
from volley.outbox.rests import KINDS
from volley.state import STATUS

MOST_PROFILES = 50
OTHERS = "others"
_STATES = ("active", "kept", "resting", "inactive")
_TAKING = ("yes", "idle", "quiet", "stopping", "behind", "ledger", "hold", "circuit", "stopped")

Samples = Iterable[tuple[Sequence[str], float]]


def gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"volley_{name}", says, value=value)


def counter(name: str, says: str, value: float) -> Metric:
    return CounterMetricFamily(f"volley_{name}", says, value=value)


def gauges(name: str, says: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(f"volley_{name}", says, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def counters(name: str, says: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(f"volley_{name}", says, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def metrics(facts: Facts, totals: Totals) -> Iterator[Metric]:
    """All that a snapshot says, and what has gone since this process looked first."""
    queues = shortened(facts.queues, MOST_PROFILES)
    named = {queue.profile for queue in queues} - {OTHERS}
    yield from _queues(queues)
    yield from _gone(totals, named)
    yield from _workers(facts.workers)
    yield from _serves(facts.serves)
    yield from _senders(facts.pools, named)
    yield from _carrier(facts)
    yield from _stores(facts)
    yield from _money(facts, totals)


def _queues(queues: Sequence[QueueFacts]) -> Iterator[Metric]:
    profile = ("profile",)

    def each(name: str, says: str, field: str) -> Metric:
        found = ((queue.profile, getattr(queue, field)) for queue in queues)
        return gauges(name, says, profile, (((who,), value) for who, value in found if value is not None))

    yield gauges(
        "waiting_messages",
        "Ready messages by what they wait for.",
        ("profile", "for"),
        (((queue.profile, name), getattr(queue.waits, name)) for queue in queues for name in Waits.__slots__),
    )
    lines = [(queue.profile, name, line) for queue in queues for name, line in queue.lines.items()]
    yield gauges(
        "due_messages",
        "Messages that go as soon as rates let them.",
        ("profile", "priority"),
        (((who, name), line.due) for who, name, line in lines),
    )
    yield gauges(
        "oldest_due_age_seconds",
        "How long the oldest due message has been due; 0 where none is.",
        ("profile", "priority"),
        (((who, name), line.oldest_due_seconds or 0.0) for who, name, line in lines),
    )
    yield each("in_flight_messages", "Messages that are being sent.", "in_flight")
    yield each("profile_unknown_messages", "Messages of which nobody knows whether the carrier has them.", "unknown")
    yield each("dead_messages", "Messages that ended without having been sent, of campaigns that Redis has.", "dead")
    yield each("live_campaigns", "Campaigns in which something is open.", "campaigns")
    yield each("rate_parts", "Parts that are sent a second, of late.", "rate")
    yield each("allowed_rate_parts", "Parts a second that a large push may reach.", "allowed_rate")
    yield each("time_to_drain_seconds", "Until what waits is sent; missing where nobody knows.", "eta_seconds")


def _gone(totals: Totals, named: set[str]) -> Iterator[Metric]:
    parts = Counter(dict.fromkeys(named, 0))
    for profile, count in totals.parts.items():
        parts[profile if profile in named else OTHERS] += count
    yield counters(
        "sent_parts", "Parts that the carrier took.", ("profile",), (((who,), n) for who, n in sorted(parts.items()))
    )
    ends = [status for status in STATUS.values() if status not in ("ready", "sending")]
    yield counters(
        "messages", "Messages that came to a status.", ("status",), (((name,), totals.messages[name]) for name in ends)
    )


def _workers(workers: Sequence[WorkerFacts]) -> Iterator[Metric]:
    taking = Counter(worker.why or "yes" for worker in workers)
    others = sum(count for name, count in taking.items() if name not in _TAKING)
    samples = [((name,), float(taking[name])) for name in _TAKING]
    yield gauges(
        "workers",
        "Live workers by whether they take messages, or why not.",
        ("taking",),
        [*samples, ((OTHERS,), others)],
    )
    lag_s = max((worker.loop_lag_seconds for worker in workers), default=0.0)
    yield gauge("worker_loop_lag_seconds", "The latest that any worker's event loop came round of late.", lag_s)
    versions = Counter(worker.version for worker in workers)
    yield gauges(
        "worker_releases", "Live workers by release.", ("version",), (((v,), n) for v, n in sorted(versions.items()))
    )


def _serves(serves: Sequence[ServeFacts]) -> Iterator[Metric]:
    yield gauge("serves", "Live volley serve processes.", len(serves))
    lag_s = max((each.loop_lag_seconds for each in serves), default=0.0)
    yield gauge("serve_loop_lag_seconds", "The latest that any volley serve's event loop came round of late.", lag_s)


def _senders(pools: Sequence[PoolFacts], named: set[str]) -> Iterator[Metric]:
    merged: dict[tuple[str, str], list[PoolFacts]] = {}
    for pool in pools:
        merged.setdefault((pool.profile if pool.profile in named else OTHERS, pool.type), []).append(pool)
    yield gauges(
        "senders",
        "Senders by type and state; kept ones serve only people who are pinned to them.",
        ("profile", "type", "state"),
        (
            ((*who, state), sum(pool.states.get(state, 0) for pool in held))
            for who, held in merged.items()
            for state in _STATES
        ),
    )
    yield gauges(
        "senders_allowed_rate_parts",
        "Parts a second that the senders in the pool may send together.",
        ("profile", "type"),
        ((who, sum(pool.rate for pool in held)) for who, held in merged.items()),
    )
    yield gauges(
        "senders_rate_parts",
        "Parts a second that they sent of late.",
        ("profile", "type"),
        ((who, sum(pool.used or 0.0 for pool in held)) for who, held in merged.items() if held[0].used is not None),
    )
    yield gauges(
        "pinned_people",
        "People who are pinned to senders; missing before they are counted.",
        ("profile", "type"),
        ((who, sum(pool.pins or 0 for pool in held)) for who, held in merged.items() if held[0].pins is not None),
    )


def _carrier(facts: Facts) -> Iterator[Metric]:
    yield gauge(
        "circuit_open", "1 while the carrier does not answer and nothing but a probe is sent.", facts.circuit_open
    )
    rests = Counter(rest.what for rest in facts.rests)
    rests["sender"] += facts.rests_more  # senders are told last
    yield gauges(
        "rests", "What is granted nothing for a while.", ("what",), (((name,), rests[name]) for name in KINDS.values())
    )
    yield counters(
        "carrier_attempts",
        "Attempts by what they came to and the carrier's code, since the account began.",
        ("outcome", "code"),
        (((each.outcome, each.code), each.count) for each in facts.outcomes),
    )
    yield counters(
        "delivery_errors",
        "Messages that the carrier took and did not deliver, by the code of their receipts, since the account began.",
        ("code",),
        (((each.code,), each.count) for each in facts.delivery_errors),
    )


def _stores(facts: Facts) -> Iterator[Metric]:
    ledger, redis = facts.ledger, facts.redis
    yield gauge("ledger_lag_seconds", "Age of the oldest entry that is not in the ledger yet.", ledger.lag_seconds)
    yield gauge("ledger_entries", "Entries that are not in the ledger yet.", ledger.entries)
    yield gauge("ledger_bound_entries", "Above so many entries nothing is taken.", ledger.bound)
    yield gauge("redis_memory_used_bytes", "Memory that Redis uses.", redis.used_bytes)
    yield gauge("redis_memory_max_bytes", "Its maxmemory; 0: no limit.", redis.max_bytes)
    yield gauge("redis_aof_enabled", "1 where Redis writes an append-only file.", redis.aof_enabled)
    yield gauge("redis_aof_healthy", "1 where the last write and fsync of it went well.", redis.aof_ok)
    yield counter("redis_evicted_keys", "Keys that Redis has thrown away for want of memory.", redis.evicted_keys)
    yield gauge("redis_clients", "Connections to Redis.", redis.clients)
    yield gauge("redis_replicas", "Replicas of this Redis.", redis.replicas)
    yield counter("redis_cpu_seconds", "Processor time of Redis.", redis.cpu_seconds)
    yield gauge("redis_uptime_seconds", "Since Redis was started.", redis.uptime_seconds)
    yield gauge("redis_held", "1 while nothing is taken, as another Redis has come.", redis.held)


def _money(facts: Facts, totals: Totals) -> Iterator[Metric]:
    yield counters("spend", "Money spent, in units of the currency.", ("currency",), _units(totals.spent))
    late = {each.currency: each.per_minute_micros for each in facts.spend if each.per_minute_micros is not None}
    of = {each.currency: each.budget_micros for each in facts.spend}
    left = {each.currency: each.budget_left_micros for each in facts.spend}
    yield gauges("budget", "What live campaigns with a budget may spend, all together.", ("currency",), _units(of))
    yield gauges("budget_left", "What is left of it.", ("currency",), _units(left))
    yield gauges("spend_rate", "Money spent a minute, of late.", ("currency",), _units(late))


def _units(micros: Mapping[str, int]) -> Samples:
    return (((currency,), value / 1e6) for currency, value in sorted(micros.items()))
