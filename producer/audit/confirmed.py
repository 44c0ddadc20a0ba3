"""What is wrong twice is wrong: a look that finds something is made again a moment later."""

import asyncio
from collections.abc import Awaitable, Callable

from volley.outbox.conservation import Breach

Look = Callable[[], Awaitable[list[Breach] | None]]
"""None: what it was to look at is gone, or has moved on."""

PAUSE_S = 1.0


async def confirmed(look: Look, pause_s: float = PAUSE_S) -> list[Breach] | None:
    """The breaches that two looks have found, each with the messages that both name."""
    first = await look()
    if not first:
        return first
    await asyncio.sleep(pause_s)
    second = await look()
    return None if second is None else both(first, second)


def both(first: list[Breach], second: list[Breach]) -> list[Breach]:
    earlier = {(each.campaign, each.kind, each.chunk): each for each in first}
    found = []
    for each in second:
        before = earlier.get((each.campaign, each.kind, each.chunk))
        if before is None:
            continue
        same = set(before.messages) & set(each.messages)
        if same or not each.messages:
            found.append(each._replace(messages=tuple(sorted(same))))
    return found
