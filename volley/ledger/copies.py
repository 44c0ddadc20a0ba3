"""Sealed chunks, copied from Redis into the ledger: with them even the loss of Redis loses no recipient."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from volley.campaign import Campaign
from volley.ledger.engine import writing
from volley.ledger.merge import Upserts
from volley.ledger.paging import pages
from volley.ledger.rows import Row
from volley.ledger.schema import chunks

ChunkName = tuple[str, int]
Fetch = Callable[[Sequence[ChunkName]], Awaitable[list[bytes | None]]]
"""Blobs of chunks as Redis has them, None for one that is not there."""

_PAGE = 100
"""Chunks in memory at once, and in one transaction: some 1.2 MB."""


async def copy_chunks(
    engine: AsyncEngine, upserts: Upserts, fetch: Fetch, campaigns: Sequence[Campaign]
) -> tuple[list[Row], list[ChunkName]]:
    """Stores what is not stored yet: (rows left for the caller's transaction, chunks that are nowhere).

    A large campaign's chunks are committed page by page on the way, so that writers wait for none of it for long.
    """
    wanted = await _not_held(engine, campaigns)
    last: list[Row] = []
    missing: list[ChunkName] = []
    for page in pages(wanted, _PAGE):
        if last:
            async with writing(engine) as connection:
                await upserts.chunks.write(connection, last)
        blobs = await fetch(page)
        missing += [name for name, blob in zip(page, blobs, strict=True) if blob is None]
        last = list(_rows(zip(page, blobs, strict=True)))
    return last, missing


async def _not_held(engine: AsyncEngine, campaigns: Sequence[Campaign]) -> list[ChunkName]:
    held: set[ChunkName] = set()
    async with engine.connect() as connection:
        for page in pages([campaign.id for campaign in campaigns]):
            found = await connection.execute(
                select(chunks.c.campaign_id, chunks.c.chunk).where(chunks.c.campaign_id.in_(page))
            )
            held |= {(campaign_id, chunk) for campaign_id, chunk in found}
    names = [(campaign.id, index) for campaign in campaigns for index in range(campaign.chunks)]
    return [name for name in names if name not in held]


def _rows(found: Iterable[tuple[ChunkName, bytes | None]]) -> Iterable[Row]:
    for (campaign_id, index), blob in found:
        if blob is not None:
            yield {"campaign_id": campaign_id, "chunk": index, "blob": blob}
