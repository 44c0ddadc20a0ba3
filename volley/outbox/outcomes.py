"""What the attempts of all workers came to, and why messages were not delivered, counted by kind and code: for people and programs
that watch.
"""

from collections.abc import Mapping

from volley.outbox.client import Redis
from volley.outbox.keys import Keys


async def count(client: Redis, keys: Keys, counts: Mapping[str, int]) -> None:
    """Adds to the counts. A field is `kind:code` (volley/carrier/labels.py). Redis errors pass through."""
    pipeline = client.pipeline(transaction=True)
    for name, by in counts.items():
        pipeline.execute_command("HINCRBY", keys.of("outcomes"), name, by)
    await pipeline.execute()


def read(held: Mapping[bytes, bytes]) -> dict[tuple[str, str], int]:
    """The hash → (kind, code) → how many since the account began."""
    found = {}
    for name, value in held.items():
        kind, _, code = name.decode().partition(":")
        found[kind, code] = int(value)
    return found
