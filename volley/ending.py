"""Tasks that go on for as long as a process serves, and their end."""

import asyncio
from collections.abc import Collection
from typing import Any

_AGAIN_S = 1.0


async def ended(tasks: Collection[asyncio.Task[Any]], again_s: float = _AGAIN_S) -> None:
    """Cancels until all have ended: a driver in the midst of a command swallows a cancellation, and its task would go on for ever.

    `again_s`: how long what a task does in its end may take before it is cancelled once more.
    """
    going = set(tasks)
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=again_s)
