"""What a look reads from Redis: one pipeline for what there is one of, and a script for every hundred campaigns."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from volley.outbox.outbox import Outbox
from volley.outbox.serves import ServeView
from volley.outbox.serves import read as read_serves

Hash = Mapping[bytes, bytes]
SLOTS = 2
"""Whole slots of 10 s whose parts make the rate of late."""


class Stop(NamedTuple):
    until_us: int
    reason: str


class Seen(NamedTuple):
    """One moment. `live`: campaign → sealed µs, the oldest first. `tempo`: profile index → parts in SLOTS. `stops`: bucket → rest."""

    now_us: int
    live: dict[str, int]
    profiles: dict[str, str]
    """Profile id → its index."""
    rates: Hash
    tempo: dict[str, int]
    stops: dict[str, Stop]
    circuit: Stop | None
    ledger_entries: int
    ledger_since_us: int
    """When the oldest entry that is not recorded was made; 0: there is none."""
    outcomes: Hash
    findings: list[dict[str, Any]]
    held_until_us: int
    asleep: dict[str, int]
    """Campaign → µs at which it wakes, of those that wait for their window for more than a moment."""
    info: dict[str, Any]
    serves: list[ServeView]


_AWAKE_S = 3
"""One that waits for its cap alone wakes sooner."""
_MOST_ASLEEP = 5_000
_HASHES = ("profile", "rates", "stops", "circuit", "outcomes", "conservation", "server", "serves")


async def look(outbox: Outbox) -> Seen:
    """Redis errors pass through."""
    clock, live, length, first, info, asleep, *held = await _asked(outbox)
    profiles, rates, stops, circuit, outcomes, findings, server, serves, *tempo = held
    now_us = int(clock[0]) * 1_000_000 + int(clock[1])
    return Seen(
        now_us=now_us,
        live=pairs(live),
        profiles={name.decode(): index.decode() for name, index in profiles.items()},
        rates=rates,
        tempo=_summed(tempo),
        stops={bucket.decode(): _stop(value) for bucket, value in stops.items()},
        circuit=Stop(int(circuit[b"until"]), circuit[b"why"].decode()) if circuit else None,
        ledger_entries=int(length),
        ledger_since_us=int(first[0][0].partition(b"-")[0]) * 1000 if first else 0,
        outcomes=outcomes,
        findings=[orjson.loads(value) for value in findings.values()],
        held_until_us=int(server.get(b"until", 0)),
        info=info,
        asleep=pairs(asleep),
        serves=read_serves(serves, now_us),
    )


async def _asked(outbox: Outbox) -> list[Any]:
    of = outbox.keys.of
    seconds, _ = await outbox.redis.time()
    pipeline = outbox.redis.pipeline(transaction=False)
    pipeline.execute_command("TIME")
    pipeline.execute_command("ZRANGE", of("live"), 0, -1, "WITHSCORES")
    pipeline.execute_command("XLEN", of("ledger"))
    pipeline.execute_command("XRANGE", of("ledger"), "-", "+", "COUNT", 1)
    pipeline.execute_command("INFO", "server", "clients", "memory", "persistence", "stats", "replication", "cpu")
    awake_us = (int(seconds) + _AWAKE_S) * 1_000_000
    pipeline.execute_command("ZRANGEBYSCORE", of("asleep"), awake_us, "+inf", "WITHSCORES", "LIMIT", 0, _MOST_ASLEEP)
    for name in _HASHES:
        pipeline.hgetall(of(name))
    for n in range(1, SLOTS + 1):
        pipeline.hgetall(of("tempo", int(seconds) // 10 - n))
    return await pipeline.execute()


def pairs(flat: Sequence[Any]) -> dict[str, int]:
    """Members and scores, as ZRANGE WITHSCORES answers them."""
    return {member.decode(): int(float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)}


def _stop(value: bytes) -> Stop:
    held = orjson.loads(value)
    return Stop(int(held["until"]), str(held["reason"]))


def _summed(slots: Sequence[Hash]) -> dict[str, int]:
    found: dict[str, int] = {}
    for slot in slots:
        for index, parts in slot.items():
            found[index.decode()] = found.get(index.decode(), 0) + int(parts)
    return found
