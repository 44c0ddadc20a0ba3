"""The ledger's side of a bill: what the carrier took in a slice of time, whose a carrier's id is, and what nobody knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import ColumnElement

from volley.campaign import Campaign
from volley.ledger.costs import PARTS
from volley.ledger.likely import Unknown
from volley.ledger.paging import pages
from volley.ledger.ranks import FINAL, RANKS, STATUS_OF, SUBMITTED, WITHDRAWN
from volley.ledger.rows import Place
from volley.ledger.schema import campaigns, carrier_ids, messages
from volley.message import MessageId, parse_message_id
from volley.numbers import e164

TAKEN_RANKS = sorted(rank for rank in STATUS_OF if rank >= SUBMITTED and rank != WITHDRAWN)
"""Named one by one, as the index on (rank, submitted_us) wants it."""

_UNKNOWN = RANKS["unknown"]
_OTHER_CLOCK_US = 30_000_000
_ANSWERED_US = 60_000_000
"""The carrier makes its record when it takes the message: no later than the longest answer, and some."""

_COLUMNS = (
    messages.c.campaign_id,
    messages.c.chunk,
    messages.c.offset,
    messages.c.carrier_id,
    messages.c.rank,
    PARTS.label("billed_parts"),
    func.coalesce(messages.c.carrier_encoding, messages.c.encoding, "").label("billed_encoding"),
    messages.c.cost_micros,
    messages.c.cost_rank,
    messages.c.currency,
    messages.c.submitted_us,
)


@dataclass(frozen=True, slots=True)
class Ours:
    """A message as our ledger has it; -1 where it does not know. `due_us`: from then on the carrier may have a record of it."""

    place: Place
    profile: str
    carrier_id: str
    rank: int
    parts: int
    encoding: str
    cost_micros: int
    cost_rank: int
    currency: str
    submitted_us: int
    due_us: int

    @property
    def message_id(self) -> str:
        return str(MessageId(*self.place))

    @property
    def is_final(self) -> bool:
        return self.rank >= FINAL


class Bills:
    """Reads in short transactions. Remembers the campaigns that it met: a few hundred bytes each."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._campaigns: dict[str, tuple[str, str, int, int]] = {}

    async def count(self, since_us: int, until_us: int) -> int:
        """Messages that the carrier took from `since_us` on and before `until_us`."""
        query = select(func.count()).select_from(messages).where(_taken(since_us, until_us))
        async with self._engine.connect() as connection:
            return int(await connection.scalar(query) or 0)

    async def slice(self, since_us: int, until_us: int) -> list[Ours]:
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(*_COLUMNS).where(_taken(since_us, until_us)))).all()
            return await self._ours(connection, rows)

    async def by_carrier_id(self, ids: Sequence[str]) -> dict[str, Ours]:
        """The messages that these ids of the carrier's belong to, whichever attempt they came with."""
        place = and_(*(carrier_ids.c[name] == messages.c[name] for name in ("campaign_id", "chunk", "offset")))
        found: dict[str, Ours] = {}
        for page in pages(ids):
            query = select(carrier_ids.c.carrier_id.label("asked"), *_COLUMNS).join(messages, place)
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query.where(carrier_ids.c.carrier_id.in_(page)))).all()
                ours = await self._ours(connection, rows)
            found |= {row.asked: each for row, each in zip(rows, ours, strict=True)}
        return found

    async def unknown(self, recipients: Sequence[int]) -> list[Unknown]:
        """Messages to these people of which nobody knows whether the carrier has them."""
        columns = (messages.c.taken_us, messages.c.sent_us, messages.c.status_us, messages.c.recipient)
        found: list[Unknown] = []
        for page in pages(recipients):
            where = (messages.c.rank == _UNKNOWN, messages.c.carrier_id == "", messages.c.recipient.in_(page))
            query = select(*_COLUMNS[:3], messages.c.sender, *columns).where(*where)
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
                await self._learn(connection, rows)
            found += [self._unknown(row) for row in rows]
        return found

    async def doubtful(self, since_us: int, until_us: int, most: int) -> list[int]:
        """People to whom a message has been unknown since some moment of this time; the oldest first."""
        at_us = messages.c.status_us
        query = select(messages.c.recipient).where(messages.c.rank == _UNKNOWN, at_us >= since_us, at_us < until_us)
        query = query.where(messages.c.recipient.is_not(None)).order_by(at_us).limit(most)
        async with self._engine.connect() as connection:
            return list(dict.fromkeys((await connection.execute(query)).scalars()))

    async def unmistakable(self, message: Unknown) -> Ours | None:
        """The message, where no other one of the ledger to the same person may have the same record; else None.

        Another one may, if it was being sent at about that time and did not come to one id at its only attempt.
        """
        place = parse_message_id(message.message_id)
        here = and_(
            *(messages.c[name] == value for name, value in zip(("campaign_id", "chunk", "offset"), place, strict=True))
        )
        sure = and_(messages.c.carrier_id != "", messages.c.attempts == 1)
        then = or_(messages.c.attempts > 1, messages.c.taken_us <= message.latest_us)
        rival = and_(
            messages.c.recipient == int(message.to[1:]),
            messages.c.rank >= _UNKNOWN,
            messages.c.attempts > 0,
            messages.c.status_us >= message.earliest_us,
            then,
            not_(sure),
            not_(here),
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(*_COLUMNS).where(here, messages.c.rank == _UNKNOWN))).all()
            if not rows or (await connection.execute(select(messages.c.chunk).where(rival).limit(1))).first():
                return None
            return (await self._ours(connection, rows))[0]

    def _unknown(self, row: Any) -> Unknown:
        profile, _, _, created_us = self._campaigns[row.campaign_id]
        # without an attempt on record its worker died: it was sent at some time before it was reaped
        earliest = row.sent_us if row.sent_us else created_us
        latest = row.sent_us + _ANSWERED_US if row.sent_us else row.status_us
        return Unknown(
            message_id=str(MessageId(row.campaign_id, row.chunk, row.offset)),
            profile=profile,
            sender=row.sender or "",
            to=e164(row.recipient),
            earliest_us=earliest - _OTHER_CLOCK_US,
            latest_us=latest + _OTHER_CLOCK_US,
        )

    async def _ours(self, connection: AsyncConnection, rows: Sequence[Any]) -> list[Ours]:
        await self._learn(connection, rows)
        return [self._one(row) for row in rows]

    def _one(self, row: Any) -> Ours:
        profile, currency, send_at_us, _ = self._campaigns[row.campaign_id]
        submitted_us = _known(row.submitted_us)
        return Ours(
            place=(row.campaign_id, row.chunk, row.offset),
            profile=profile,
            carrier_id=row.carrier_id,
            rank=row.rank,
            parts=_known(row.billed_parts),
            encoding=row.billed_encoding,
            cost_micros=_known(row.cost_micros),
            cost_rank=row.cost_rank,
            currency=row.currency or currency,
            submitted_us=submitted_us,
            due_us=max(submitted_us, send_at_us),
        )

    async def _learn(self, connection: AsyncConnection, rows: Sequence[Any]) -> None:
        new = sorted({row.campaign_id for row in rows} - self._campaigns.keys())
        for page in pages(new):
            query = select(campaigns.c.id, campaigns.c.facts).where(campaigns.c.id.in_(page))
            for campaign_id, facts in await connection.execute(query):
                if facts is not None:
                    known = Campaign.from_json(facts)
                    self._campaigns[campaign_id] = known.profile, known.currency, known.send_at_us, known.created_us
        for campaign_id in new:
            self._campaigns.setdefault(campaign_id, ("", "", 0, 0))


def _taken(since_us: int, until_us: int) -> ColumnElement[bool]:
    return and_(
        messages.c.rank.in_(TAKEN_RANKS), messages.c.submitted_us >= since_us, messages.c.submitted_us < until_us
    )


def _known(value: int | None) -> int:
    return -1 if value is None else value
