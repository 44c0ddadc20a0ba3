"""The people who want nothing from a profile any more."""

from collections.abc import Sequence

from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.outbox.scripts import Scripts

_AT_ONCE = 1000


async def among(client: Redis, keys: Keys, profile: str, numbers: Sequence[int], indices: dict[str, bytes]) -> set[int]:
    """Those of the numbers that have opted out of a profile; of one that is not known, none.

    `indices` remembers the profile's index, so that this is one step to Redis: the same step tells whether it is right still.
    """
    if not numbers:
        return set()
    while True:
        guess = indices.get(profile, b"")
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command("HGET", keys.of("profile"), profile)
        if guess:
            pipeline.execute_command("SMISMEMBER", keys.of("optout", int(guess)), *numbers)
        index, *flags = await pipeline.execute()
        if index is None:
            return set()
        if index == guess:
            return {number for number, flag in zip(numbers, flags[0], strict=True) if flag}
        indices[profile] = index


async def change(scripts: Scripts, script: str, profile: tuple[int, str], numbers: Sequence[int], action: bytes) -> int:
    """Runs optouts or optins for all of them (`profile`: its index and id), each call on the disk before the next; how many it changed.

    The first call records the action.
    """
    changed = 0
    for at in range(0, len(numbers), _AT_ONCE):
        people = map(str, numbers[at : at + _AT_ONCE])
        changed += await scripts.durable(script, *profile, b"" if at else action, *people)
    return changed
