"""Pins as Volley writes them, put in place before a bench begins."""

import random
import time
from collections.abc import Sequence

from volley.outbox.client import Redis
from volley.outbox.keys import Keys

_DAY_S = 86_400
_BATCH = 1_000


async def pin_people(redis: Redis, keys: Keys, profile: int, pins: Sequence[tuple[int, int]]) -> None:
    """(recipient, sender index) each, as lua/lib.lua's `pin` writes them today."""
    today = int(time.time()) // _DAY_S
    for at in range(0, len(pins), _BATCH):
        pipeline = redis.pipeline(transaction=False)
        for to, sender in pins[at : at + _BATCH]:
            key = keys.pin(profile, to)
            pipeline.execute_command("HSET", key, to.to_bytes(8, "big"), sender * 100_000 + today)
        await pipeline.execute()


def skewed(people: Sequence[int], senders: Sequence[int], seed: int = 1) -> list[tuple[int, int]]:
    """Each person a sender: the n-th sender, in a random order, has a share of 1/n (Zipf), as old pools have."""
    dice = random.Random(seed)
    order = dice.sample(senders, len(senders))
    chosen = dice.choices(order, [1 / rank for rank in range(1, len(order) + 1)], k=len(people))
    return list(zip(people, chosen, strict=True))
