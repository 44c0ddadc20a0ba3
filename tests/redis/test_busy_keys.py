"""The mark of a key that a push is at: there for as long as that, and gone with it, whatever its renewal is about."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from producer.web.problems import IN_PROGRESS, Problem
from producer.web.pushing import marked
from tests.servers import becomes
from volley.embedded import EmbeddedValkey
from volley.outbox.connect import client
from volley.outbox.outbox import Outbox


@pytest.fixture
async def outbox(valkey: EmbeddedValkey, db: redis.asyncio.Redis) -> AsyncIterator[Outbox]:
    """Over connections as `volley serve` has them, which give up on what takes too long."""
    own = client(valkey.url)
    yield Outbox(own, "test")
    await own.aclose()


async def test_a_mark_that_is_being_renewed_when_its_push_ends_goes_with_it(outbox: Outbox) -> None:
    """A command to Redis under way may swallow a cancellation: whoever waited for that would never answer."""
    async with asyncio.timeout(120):
        for n in range(150):
            async with marked(outbox, f"key {n}", again_s=0):
                await asyncio.sleep(0.0001 * (n % 10))
            assert await outbox.redis.get(outbox.keys.of("pushing", f"key {n}")) is None


async def _lives_longer(outbox: Outbox, name: str) -> bool:
    return int(await outbox.redis.pttl(name)) > 5_000


async def test_a_mark_is_renewed_for_as_long_as_its_push_takes(outbox: Outbox) -> None:
    name = outbox.keys.of("pushing", "key")
    async with marked(outbox, "key", again_s=0.01):
        await outbox.redis.pexpire(name, 5_000)
        await becomes(lambda: _lives_longer(outbox, name), "it is renewed")
        with pytest.raises(Problem) as found:
            async with marked(outbox, "key"):
                pass
        assert found.value.kind == IN_PROGRESS


async def test_a_mark_that_has_become_anothers_is_left_to_it(outbox: Outbox) -> None:
    name = outbox.keys.of("pushing", "key")
    async with marked(outbox, "key"):
        await outbox.redis.set(name, "another's")
    assert await outbox.redis.get(name) == b"another's"
