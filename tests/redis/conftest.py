"""Campaigns and pools for the scripts' tests: real pushes, small."""

from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio

from volley.campaign import Campaign, new_campaign_id
from volley.outbox.chunks import Chunk, encode
from volley.outbox.flights import refs
from volley.outbox.outbox import Outbox
from volley.sender import Sender

PROFILE = "40017b3d-0000-4000-8000-000000000001"


def chunk_of(numbers: list[int], parts: int = 1) -> Chunk:
    n = len(numbers)
    return Chunk(numbers, None, [], bytes([parts]) * n, bytes(n), [4000] * n)


def people(n: int, start: int = 0) -> list[int]:
    return [12025550000 + start + i for i in range(n)]


@pytest.fixture
async def outbox(db: redis.asyncio.Redis) -> Outbox:
    return Outbox(db, "test")


@pytest.fixture
def pool(outbox: Outbox) -> Callable[..., Awaitable[None]]:
    async def make(count: int = 3, rate: float = 1000, account: float = 10_000, **weights: int) -> None:
        senders = [
            Sender(f"+1202555{9000 + i}", "long_code", PROFILE, rate_milli=int(rate * 1000)) for i in range(count)
        ]
        await outbox.sync_senders(PROFILE, senders, weights or None)  # type: ignore[arg-type]
        await outbox.redis.hset(outbox.keys.of("rates"), mapping={"a": int(account * 1000)})

    return make


@pytest.fixture
def push(outbox: Outbox) -> Callable[..., Awaitable[Campaign]]:
    async def make(*chunks: Chunk, plan: bool = True, **fields: object) -> Campaign:
        key = str(fields.pop("key", ""))
        campaign = Campaign(
            new_campaign_id(),
            PROFILE,
            "hello",
            accepted=sum(map(len, chunks)),
            chunks=len(chunks),
            idempotency_key=key,
            **fields,  # type: ignore[arg-type]
        )
        await outbox.begin(campaign.id)
        for index, chunk in enumerate(chunks):
            await outbox.admit(campaign.id, index, encode(chunk), len(chunk))
        await outbox.seal(campaign, key_ttl_s=60)
        for index, chunk in enumerate(chunks if plan else ()):
            assert (await outbox.dispatch.plan(campaign.id, index, refs(index, chunk)))[0]
        return campaign

    return make
