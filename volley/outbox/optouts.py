"""The people who want nothing from a profile any more."""

from collections.abc import Sequence

from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.outbox.scripts import Scripts

_AT_ONCE = 1000


async def among(client: Redis, keys: Keys, profile_index: int | None, numbers: Sequence[int]) -> set[int]:
    """Those of the numbers that have opted out."""
    if profile_index is None or not numbers:
        return set()
    flags = await client.smismember(keys.of("optout", profile_index), list(numbers))
    return {number for number, flag in zip(numbers, flags, strict=True) if flag}


async def change(scripts: Scripts, script: str, profile: tuple[int, str], numbers: Sequence[int], action: bytes) -> int:
    """Runs optouts or optins for all of them (`profile`: its index and id), each call on the disk before the next; how many it changed.

    The first call records the action.
    """
    changed = 0
    for at in range(0, len(numbers), _AT_ONCE):
        people = map(str, numbers[at : at + _AT_ONCE])
        changed += await scripts.durable(script, *profile, b"" if at else action, *people)
    return changed
