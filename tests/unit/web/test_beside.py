"""Chores beside the requests: none ends unseen."""

import asyncio
import contextlib
import logging

import pytest

from producer.web.beside import going


async def test_a_chore_that_fails_is_told_and_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    begun, person = 0, "+1202" + "5550100"

    async def chore() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ValueError(person)

    with caplog.at_level(logging.ERROR):
        await going(chore, again_s=0)
    assert begun == 3
    assert caplog.text.count("begins again in 0 s: ValueError") == 2
    assert person not in caplog.text


async def test_a_chore_is_cancelled_and_not_begun_again() -> None:
    begun = asyncio.Event()

    async def chore() -> None:
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(going(chore, again_s=0))
    await begun.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert running.cancelled()
