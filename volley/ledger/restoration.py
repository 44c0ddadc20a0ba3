"""What the ledger knows of a campaign that Redis has lost: the state in which each message is put back, and what is doubtful.

What was in flight, or settled and not recorded, nobody can know. So a message that is ready in the ledger is ready again only
where nothing of its chunk can have been taken; everywhere else it is unknown.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.campaign import Campaign
from volley.ledger.dead import state_of
from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS, SUBMITTED
from volley.ledger.schema import attempts, campaign_events, campaigns, chunks, messages
from volley.state import OPEN, State

ENDED = RANKS["expired"]
UNKNOWN = RANKS["unknown"]
MARGIN_CHUNKS = 10
"""Chunks after the last of which the ledger has heard: they may have been planned and taken from before it heard of it."""


class Lost(NamedTuple):
    """A campaign that is not over. `state` as in the table `campaigns`."""

    campaign: Campaign
    state: str


class Sent(NamedTuple):
    """What a campaign has sent: parts, micro-units, first and last moment µs (0: nothing)."""

    parts: int
    cost_micros: int
    first_us: int
    last_us: int


class Tried(NamedTuple):
    """Of an unknown message: its first attempt, which is its only one, so that the very same POST could be made again."""

    sender: str
    since_us: int


class Known(NamedTuple):
    """What the ledger says of a chunk's messages: offset → rank, of those it has rows of. `tried`: of those that are unknown after
    one attempt."""

    ranks: Mapping[int, int]
    tried: Mapping[int, Tried]


class PutBack(NamedTuple):
    """A chunk's state bytes as they are put back, and the offsets of those that became unknown by that."""

    states: str
    marked: tuple[int, ...]

    @property
    def open(self) -> bool:
        return any(state in OPEN for state in self.states)


def put_back(known: Known, messages_in_chunk: int, *, doubtful: bool) -> PutBack:
    """`doubtful`: some of the chunk may have been taken, so that nothing of it is known to be ready."""
    states = []
    marked = []
    for offset in range(messages_in_chunk):
        rank = known.ranks.get(offset, 0)
        state = State.READY.value if rank < UNKNOWN else state_of(rank)
        if state == State.READY.value and doubtful:
            state = State.UNKNOWN.value
            marked.append(offset)
        states.append(state)
    return PutBack("".join(states), tuple(marked))


def doubtful_before(begun: Sequence[int], margin_chunks: int) -> int:
    """The first chunk of which nothing can have been taken, if the ledger has heard of these chunks and no others."""
    return max(begun, default=-1) + 1 + margin_chunks


async def lost_campaigns(connection: AsyncConnection, only: str | None = None) -> list[Lost]:
    """Campaigns that are not over, the oldest first. Looks at all of the ledger's messages once."""
    mine = [] if only is None else [messages.c.campaign_id == only]
    query = select(messages.c.campaign_id, func.count()).where(messages.c.rank >= ENDED, *mine)
    ended = {each[0]: each[1] for each in await connection.execute(query.group_by(messages.c.campaign_id))}
    row = campaigns.c
    wanted = select(row.id, row.facts, row.state, row.accepted).where(row.facts.is_not(None))
    if only is not None:
        wanted = wanted.where(row.id == only)
    found = await connection.execute(wanted.order_by(row.id))
    lost = [(name, facts, state) for name, facts, state, n in found if ended.get(name, 0) < n]
    changed = await _changed(connection, [name for name, _, _ in lost])
    return [Lost(_as_changed(facts, changed.get(name, {})), state) for name, facts, state in lost]


def _as_changed(facts: bytes, terms: Mapping[str, object]) -> Campaign:
    return Campaign.from_json(orjson.dumps(orjson.loads(facts) | terms) if terms else facts)


async def _changed(connection: AsyncConnection, campaign_ids: Sequence[str]) -> dict[str, dict[str, object]]:
    """What these campaigns were asked for while they ran: the last word on each of their terms."""
    found: dict[str, dict[str, object]] = {}
    row = campaign_events.c
    for page in pages(campaign_ids):
        query = select(row.campaign_id, row.detail).where(row.campaign_id.in_(page), row.state == "changed")
        for campaign_id, detail in await connection.execute(query.order_by(row.at_us)):
            found.setdefault(campaign_id, {}).update(orjson.loads(detail))
    return found


async def begun_chunks(connection: AsyncConnection, campaign_id: str) -> list[int]:
    """Chunks to whose messages something has happened, as far as the ledger has heard. What an earlier rebuild marked is nothing
    that happened: unknown, and never tried."""
    row = messages.c
    happened = (row.rank != UNKNOWN) | (row.attempts > 0)
    query = select(row.chunk).distinct().where(row.campaign_id == campaign_id, happened)
    return list((await connection.execute(query)).scalars())


async def sent(connection: AsyncConnection, campaign_id: str) -> Sent:
    row = messages.c
    query = select(func.sum(row.parts), func.sum(row.cost_micros), func.min(row.sent_us), func.max(row.sent_us))
    found = (await connection.execute(query.where(row.campaign_id == campaign_id, row.rank >= SUBMITTED))).one()
    return Sent(*(int(value or 0) for value in found))


async def blobs(connection: AsyncConnection, campaign_id: str, indexes: Sequence[int]) -> dict[int, bytes]:
    query = select(chunks.c.chunk, chunks.c.blob).where(
        chunks.c.campaign_id == campaign_id, chunks.c.chunk.in_(indexes)
    )
    return {each.chunk: each.blob for each in await connection.execute(query)}


async def known(connection: AsyncConnection, campaign_id: str, indexes: Sequence[int]) -> dict[int, Known]:
    """What the ledger says of some chunks."""
    row = messages.c
    ranks: dict[int, dict[int, int]] = {index: {} for index in indexes}
    query = select(row.chunk, row.offset, row.rank).where(row.campaign_id == campaign_id, row.chunk.in_(indexes))
    for chunk, offset, rank in await connection.execute(query):
        ranks[chunk][offset] = rank
    tried = await _tried(connection, campaign_id, indexes)
    return {index: Known(ranks[index], tried.get(index, {})) for index in indexes}


async def _tried(connection: AsyncConnection, campaign_id: str, indexes: Sequence[int]) -> dict[int, dict[int, Tried]]:
    """Unknown after one attempt, and it was the first: its idempotency key is known then."""
    row, of = messages.c, attempts.c
    same = (of.campaign_id == row.campaign_id) & (of.chunk == row.chunk) & (of.offset == row.offset)
    query = (
        select(row.chunk, row.offset, of.sender, of.taken_us)
        .join_from(messages, attempts, same)
        .where(row.campaign_id == campaign_id, row.chunk.in_(indexes), row.rank == UNKNOWN)
        .where(row.attempts == 1, of.attempt == 1, of.rank == UNKNOWN)
    )
    found: dict[int, dict[int, Tried]] = {}
    for chunk, offset, sender, taken_us in await connection.execute(query):
        found.setdefault(chunk, {})[offset] = Tried(sender, taken_us)
    return found
