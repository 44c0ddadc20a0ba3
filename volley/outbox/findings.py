"""What the audits of all `volley serve` found last, where other processes see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from volley.outbox.conservation import Breach
from volley.outbox.outbox import Outbox

LIFE_S = 600
_MOST = 50
"""Breaches that are told. What is wrong with more is wrong with all."""


@dataclass(frozen=True, slots=True)
class Findings:
    """`checked`: campaigns whose sums were looked at in the last round, at `at_us` (0: nobody audits). `broken`: as Breach.as_json."""

    checked: int
    broken: tuple[dict[str, Any], ...]
    at_us: int

    def as_json(self) -> dict[str, Any]:
        return {"checked": self.checked, "broken": list(self.broken)}


async def tell(outbox: Outbox, name: str, checked: int, broken: Sequence[Breach]) -> None:
    """Leaves what one audit found. Redis errors pass through."""
    seconds, micros = await outbox.redis.time()
    document = {
        "at_us": int(seconds) * 1_000_000 + int(micros),
        "checked": checked,
        "broken": [each.as_json() for each in broken[:_MOST]],
    }
    key = outbox.keys.of("conservation")
    await outbox.redis.hset(key, mapping={name: orjson.dumps(document)})
    await outbox.redis.expire(key, LIFE_S)


async def told(outbox: Outbox) -> Findings:
    """What all of them left within their life. Redis errors pass through."""
    seconds, _ = await outbox.redis.time()
    documents = [orjson.loads(value) for value in await outbox.redis.hvals(outbox.keys.of("conservation"))]
    fresh = [each for each in documents if each["at_us"] > (int(seconds) - LIFE_S) * 1_000_000]
    broken = {each["says"]: each for document in fresh for each in document["broken"]}
    checked = max((each["checked"] for each in fresh), default=0)
    return Findings(checked, tuple(broken.values()), max((each["at_us"] for each in fresh), default=0))
