"""Questions to the ledger. Reads only, in short transactions, so that no reader holds up the recorder."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.ledger import actions, costs, report, story
from volley.ledger.actions import Place
from volley.ledger.documents import Document, Sources, message
from volley.ledger.inbound import texts
from volley.ledger.paging import pages
from volley.ledger.schema import campaigns, chunks, messages
from volley.message import parse_message_id
from volley.outbox import chunks as blobs
from volley.outbox.chunks import Chunk
from volley.outbox.outbox import Outbox

HotStates = Callable[[str, Sequence[int]], Awaitable[list[bytes | None]]]
"""State strings of some chunks of a campaign, None for a chunk that Redis no longer has."""

_PAGE = 4
"""Chunks in memory at once: 2,000 messages."""


def hot_states(outbox: Outbox) -> HotStates:
    """What Redis says, for `Reader.export` and `Reader.message_story`."""

    async def read(campaign_id: str, indexes: Sequence[int]) -> list[bytes | None]:
        return await outbox.redis.mget([outbox.keys.states(campaign_id, index) for index in indexes])

    return read


class Reader:
    """All methods about a campaign raise UnusableInput where the ledger has none of that id."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def campaign(self, campaign_id: str) -> Campaign:
        async with self._engine.connect() as connection:
            return await _campaign(connection, campaign_id)

    async def export(self, campaign_id: str, hot: HotStates | None = None) -> AsyncIterator[Document]:
        """Every message of a campaign in the order of its rows, also those to which nothing has happened yet."""
        campaign = await self.campaign(campaign_id)
        for indexes in pages(range(campaign.chunks), _PAGE):
            for document in await self._page(campaign, indexes, hot):
                yield document

    async def chunked(
        self, campaign_id: str, hot: HotStates | None, first: int
    ) -> AsyncIterator[tuple[int, list[Document]]]:
        """The same from a chunk on, chunk by chunk."""
        campaign = await self.campaign(campaign_id)
        for index in range(first, campaign.chunks):
            yield index, await self._page(campaign, [index], hot)

    async def _page(self, campaign: Campaign, indexes: Sequence[int], hot: HotStates | None) -> list[Document]:
        # Redis first: what it has dropped by then is in the ledger already
        states = await hot(campaign.id, indexes) if hot else [None] * len(indexes)
        async with self._engine.connect() as connection:
            held = await _chunks(connection, campaign.id, indexes)
            rows = await _rows(connection, campaign.id, indexes)
        found: list[Document] = []
        for index, state in zip(indexes, states, strict=True):
            chunk, theirs = held.get(index), rows.get(index, {})
            for offset in _offsets(chunk, theirs):
                sources = Sources(campaign, theirs.get(offset), chunk, state)
                found.append(message((campaign.id, index, offset), sources))
        return found

    async def message_story(self, message_id: str, hot: HotStates | None = None) -> Document:
        """All that is known of one message: its export line, its text, and what happened to it in order of time.

        Raises:
            UnusableInput: not the id of a message, or of none that the ledger has.
        """
        place = parse_message_id(message_id)
        campaign = await self.campaign(place.campaign)
        state = (await hot(campaign.id, [place.chunk]))[0] if hot else None
        async with self._engine.connect() as connection:
            chunk = (await _chunks(connection, campaign.id, [place.chunk])).get(place.chunk)
            row = (await _rows(connection, campaign.id, [place.chunk])).get(place.chunk, {}).get(place.offset)
            if row is None and (chunk is None or place.offset >= len(chunk)):
                raise UnusableInput(
                    f"campaign {campaign.id} has no message {message_id}: see volley export {campaign.id}"
                )
            return await story.tell(connection, place, Sources(campaign, row, chunk, state))

    async def costs(
        self, by: costs.By = "campaign", since_us: int | None = None, until_us: int | None = None
    ) -> list[costs.CostRow]:
        """What the carrier took between two moments (until: not included), a row a group and currency."""
        async with self._engine.connect() as connection:
            return await costs.costs(connection, by, since_us, until_us)

    async def inbound(
        self,
        profile: str | None = None,
        campaign_id: str | None = None,
        since_us: int | None = None,
        most: int = 1000,
    ) -> list[Document]:
        """The newest texts of people, the newest first; see inbound.py."""
        async with self._engine.connect() as connection:
            return await texts(connection, profile=profile, campaign_id=campaign_id, since_us=since_us, most=most)

    async def actions(
        self, campaign_id: str | None = None, since_us: int | None = None, most: int = 1000
    ) -> list[Document]:
        """What people and programs did, the newest first; see actions.py."""
        found, _ = await self.actions_page(campaign_id, since_us, None, most)
        return found

    async def actions_page(
        self, campaign_id: str | None, since_us: int | None, before: Place | None, most: int
    ) -> tuple[list[Document], Place | None]:
        """The same, page by page."""
        async with self._engine.connect() as connection:
            return await actions.listed(
                connection, campaign_id=campaign_id, since_us=since_us, before=before, most=most
            )

    async def campaign_report(self, campaign_id: str) -> Document:
        """Counts per status, sender, parts and encoding; estimated against actual cost; differences. See report.py."""
        async with self._engine.connect() as connection:
            return await report.campaign_report(connection, await _campaign(connection, campaign_id))

    async def differences(self, campaign_id: str, limit: int = 100) -> Document:
        """Where our parts, encoding or estimate and the carrier's word differ: how often, and the first `limit`."""
        async with self._engine.connect() as connection:
            return await report.differences(connection, await _campaign(connection, campaign_id), limit)

    async def same_senders(self, first: str, second: str) -> dict[str, int]:
        """`people` whom the carrier took a message for in both campaigns, and `same`: those who saw one sender twice."""
        async with self._engine.connect() as connection:
            return await report.same_senders(connection, first, second)

    async def status_counts(self, campaign_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Campaign → status → messages that the ledger has a row for."""
        async with self._engine.connect() as connection:
            return await report.status_counts(connection, campaign_ids)

    async def spent(self, campaign_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Campaign → currency → micro-units that the carrier has named for its messages so far."""
        async with self._engine.connect() as connection:
            return await costs.spent(connection, campaign_ids)


async def _campaign(connection: AsyncConnection, campaign_id: str) -> Campaign:
    found = await connection.scalar(select(campaigns.c.facts).where(campaigns.c.id == campaign_id))
    if found is None:
        raise UnusableInput(
            f"no campaign {campaign_id[:40]!r} in the ledger (one sealed just now takes a moment): see volley campaigns"
        )
    return Campaign.from_json(found)


async def _chunks(connection: AsyncConnection, campaign_id: str, indexes: Sequence[int]) -> dict[int, Chunk]:
    query = select(chunks.c.chunk, chunks.c.blob).where(
        chunks.c.campaign_id == campaign_id, chunks.c.chunk.in_(indexes)
    )
    return {chunk: blobs.decode(blob) for chunk, blob in await connection.execute(query)}


async def _rows(
    connection: AsyncConnection, campaign_id: str, indexes: Sequence[int]
) -> dict[int, dict[int, dict[str, Any]]]:
    query = select(messages).where(messages.c.campaign_id == campaign_id, messages.c.chunk.in_(indexes))
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.chunk, {})[row.offset] = row._asdict()
    return found


def _offsets(chunk: Chunk | None, rows: Mapping[int, object]) -> Iterator[int]:
    """Without its chunk, a chunk's messages are those that something happened to."""
    yield from range(len(chunk)) if chunk else sorted(rows)
