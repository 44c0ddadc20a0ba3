"""What webhooks came to, counted over all processes that take them: for status and doctor, which are other processes."""

from collections.abc import Mapping

from volley.outbox.client import Redis
from volley.outbox.keys import Keys

AT = "at:"
"""Before a name: the moment (µs) at which it was counted last."""


async def count(client: Redis, keys: Keys, counts: Mapping[str, int], now_us: int) -> None:
    """Adds to the counts. Redis errors pass through."""
    pipeline = client.pipeline(transaction=True)
    for name, by in counts.items():
        pipeline.execute_command("HINCRBY", keys.of("webhooks"), name, by)
        pipeline.execute_command("HSET", keys.of("webhooks"), AT + name, now_us)
    await pipeline.execute()


async def counts(client: Redis, keys: Keys) -> dict[str, tuple[int, int]]:
    """Name → (how many, when last, µs)."""
    held = {name.decode(): int(value) for name, value in (await client.hgetall(keys.of("webhooks"))).items()}
    return {name: (value, held.get(AT + name, 0)) for name, value in held.items() if not name.startswith(AT)}
