"""`volley serve` ends when it is told to, whatever its tasks make of being cancelled."""

import asyncio
import contextlib

from volley.ending import ended


async def test_a_task_that_swallows_its_cancellation_ends_all_the_same_and_one_that_finishes_may() -> None:
    """As a driver does that is in the middle of a command."""
    begun, finished = asyncio.Event(), asyncio.Event()

    async def deaf() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                begun.set()
                await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            finished.set()

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(tidy())]
    await begun.wait()
    async with asyncio.timeout(10):
        await ended(tasks, again_s=0.5)
    assert tasks[0].cancelled()
    assert finished.is_set()
