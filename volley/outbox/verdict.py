"""What the carrier does with a repeated Idempotency-Key, as the probe found it (volley doctor --probe-idempotency) and Redis keeps it."""

from dataclasses import dataclass
from typing import Literal

import orjson

from volley.outbox.outbox import Outbox

FIELD = "idempotency"
HOLDS_US = 30 * 86_400_000_000
"""So long a verdict counts. The carrier promises nothing about it, so what it did a month ago proves nothing any more."""

Answer = Literal["honoured", "ignored", "unclear"]


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it, as Redis keeps it. `at_us`: when; `why` for people."""

    verdict: Answer
    at_us: int
    account: str
    why: str

    def holds(self, now_us: int) -> bool:
        """Whether it is young enough to count."""
        return now_us - self.at_us < HOLDS_US


async def remembered(outbox: Outbox) -> Probed | None:
    """The last verdict; None where nobody has probed. Redis errors pass through."""
    held = await outbox.redis.hget(outbox.keys.of("probe"), FIELD)
    return None if held is None else Probed(**orjson.loads(held))


async def honoured(outbox: Outbox, now_us: int) -> bool:
    """Whether a POST may be repeated on the strength of its key. Redis errors pass through."""
    found = await remembered(outbox)
    return found is not None and found.verdict == "honoured" and found.holds(now_us)
