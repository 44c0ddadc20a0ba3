"""Every `volley serve` as it shows itself, as workers do: who is there, and whether its event loop comes round in time."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson

from volley.outbox.client import Redis
from volley.outbox.keys import Keys

ALIVE_US = 15_000_000
_LIFE_S = 60


@dataclass(frozen=True, slots=True)
class ServeView:
    """`loop_lag_s`: the latest that its event loop came round of late. `watching`: streams of the page that it feeds."""

    id: str
    host: str
    pid: int
    version: str
    started_us: int
    seen_us: int
    loop_lag_s: float
    watching: int


async def show(client: Redis, keys: Keys, view: ServeView) -> None:
    """Leaves its word, by the clock of Redis, and drops that of those who say nothing more. Redis errors pass through."""
    key = keys.of("serves")
    seconds, micros = await client.time()
    now_us = int(seconds) * 1_000_000 + int(micros)
    held = await client.hgetall(key)
    gone = [name for name, value in held.items() if orjson.loads(value)["seen_us"] < now_us - ALIVE_US]
    pipeline = client.pipeline(transaction=True)
    if gone:
        pipeline.execute_command("HDEL", key, *gone)
    pipeline.execute_command("HSET", key, view.id, orjson.dumps(asdict(view) | {"seen_us": now_us}))
    pipeline.execute_command("EXPIRE", key, _LIFE_S)
    await pipeline.execute()


async def leave(client: Redis, keys: Keys, name: str) -> None:
    """It ends. Redis errors pass through."""
    await client.execute_command("HDEL", keys.of("serves"), name)


def read(held: Mapping[bytes, bytes], now_us: int) -> list[ServeView]:
    """Those that have shown life in the last 15 s. What a later release adds is left alone."""
    found = []
    for value in held.values():
        fields = orjson.loads(value)
        if fields["seen_us"] >= now_us - ALIVE_US:
            found.append(ServeView(**{name: fields[name] for name in ServeView.__dataclass_fields__}))
    return sorted(found, key=lambda view: view.id)
