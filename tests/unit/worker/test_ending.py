"""A worker ends when it is told to, whatever its chores make of being cancelled."""

import asyncio
import contextlib

from worker.main import _ended


async def test_a_chore_that_swallows_its_cancellation_ends_all_the_same() -> None:
    """As arq's loop does now and then, when it comes in the middle of a call to Redis."""
    begun = asyncio.Event()

    async def deaf() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                begun.set()
                await asyncio.Event().wait()
        await asyncio.Event().wait()

    chore = asyncio.create_task(deaf())
    await begun.wait()
    async with asyncio.timeout(10):
        await _ended([chore])
    assert chore.cancelled()
