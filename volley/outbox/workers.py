"""Workers as they show themselves: what `worker/presence.py` writes, read again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from volley.outbox.client import Redis
from volley.outbox.keys import Keys

_PAGE = 200


@dataclass(frozen=True, slots=True)
class WorkerView:
    id: str
    host: str
    pid: int
    started_us: int
    seen_us: int
    in_flight: int
    rate: float
    unknown_codes: Mapping[str, int] = field(default_factory=dict)
    """How many messages it gave up for error codes of the carrier that it does not know."""
    quiet: bool = False
    """It takes nothing more and goes on with what it has."""
    version: str = ""
    loop_lag_s: float = 0.0
    """The latest that its event loop came round of late."""
    taking: str = ""
    """`yes`, or why it takes nothing (worker/presence.py); '' for a release that does not say."""


def _counts(text: str) -> dict[str, int]:
    pairs = (word.rpartition(":") for word in text.split())
    return {name: int(count) for name, _, count in pairs}


async def workers(client: Redis, keys: Keys) -> list[WorkerView]:
    """Workers that have shown life in the last 15 s."""
    names = [name.decode() for name in await client.zrange(keys.of("workers"), 0, -1)]
    found = []
    for at in range(0, len(names), _PAGE):
        pipeline = client.pipeline(transaction=False)
        for name in names[at : at + _PAGE]:
            pipeline.hgetall(keys.of("worker", name))
        held = zip(names[at : at + _PAGE], await pipeline.execute(), strict=True)
        found += [_worker(name, fields) for name, fields in held if fields]
    return found


def _worker(name: str, fields: dict[bytes, bytes]) -> WorkerView:
    return WorkerView(
        id=name,
        host=fields[b"host"].decode(),
        pid=int(fields[b"pid"]),
        started_us=int(fields.get(b"started_us", 0)),
        seen_us=int(fields.get(b"seen_us", 0)),
        in_flight=int(fields.get(b"in_flight", 0)),
        rate=float(fields.get(b"rate", 0)),
        unknown_codes=_counts(fields.get(b"unknown_codes", b"").decode()),
        quiet=fields.get(b"quiet") == b"1",
        version=fields.get(b"version", b"").decode(),
        loop_lag_s=float(fields.get(b"loop_lag", 0)),
        taking=fields.get(b"taking", b"").decode(),
    )
