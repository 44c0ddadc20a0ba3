"""Messages that were dead and are tried once more: the one place where a rank goes back.

Rows merge to the greatest rank, and dead is greater than ready or unknown. So where a redriven message stands is worked out anew
from what the ledger keeps of it, its attempts and moves since the redrive, whenever a batch has something about it: from the same
rows the same answer, in whatever order and however often they came. What the carrier has said stands above that and is left alone,
but for what it said of attempts that were undelivered before a retry.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgpack
from sqlalchemy import Row as Found
from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from volley.ledger.facts import Facts
from volley.ledger.paging import pages
from volley.ledger.ranks import RANKS, SUBMITTED, rank_of_mark, rank_of_receipt
from volley.ledger.rows import Place
from volley.ledger.schema import attempts, messages, moves, receipts
from volley.ledger.stream import order

WHY = "redrive"

_STANDING = ("rank", "status_us", "error_code", "error_text")
_PLACE = (
    messages.c.campaign_id == bindparam("b_campaign"),
    messages.c.chunk == bindparam("b_chunk"),
    messages.c.offset == bindparam("b_offset"),
)
_VALUES: dict[str, Any] = {name: bindparam(f"b_{name}") for name in _STANDING}
_SET = update(messages).where(*_PLACE, messages.c.rank < SUBMITTED).values(_VALUES)
_SET_RETRIED = update(messages).where(*_PLACE).values(_VALUES | {"carrier_id": bindparam("b_carrier_id")})
_DELIVERED = RANKS["delivered"]


class Redrive(NamedTuple):
    """The last redrive of a message: its entry in the stream, its moment, the attempts before it."""

    entry: tuple[int, int]
    at_us: int
    attempt: int


class Standing(NamedTuple):
    """Where a message stood at a moment; the greatest counts."""

    rank: int
    status_us: int
    error_code: str
    error_text: str


async def set_right(connection: AsyncConnection, facts: Facts) -> set[Place]:
    """Gives the redriven messages of a batch, after it was written, the rank that they have come to since; which they are."""
    touched = {(row["campaign_id"], row["chunk"], row["offset"]) for row in facts.messages}
    redriven: dict[Place, Redrive] = {}
    for page in pages(sorted(facts.touched)):
        query = select(moves).where(moves.c.campaign_id.in_(page), moves.c.why == WHY)
        for place, redrive in _redrives(await connection.execute(query)):
            if place in touched and redrive > redriven.get(place, redrive._replace(entry=(-1, -1))):
                redriven[place] = redrive
    chunks: dict[tuple[str, int], dict[int, Redrive]] = {}
    for (campaign_id, chunk, offset), redrive in redriven.items():
        chunks.setdefault((campaign_id, chunk), {})[offset] = redrive
    for (campaign_id, chunk), theirs in chunks.items():
        await _set_chunk(connection, campaign_id, chunk, theirs)
    return set(redriven)


def _redrives(rows: Iterable[Found[Any]]) -> Iterable[tuple[Place, Redrive]]:
    for row in rows:
        for offset, _, _, attempt in msgpack.unpackb(row.moves):
            yield (row.campaign_id, row.chunk, offset), Redrive(order(row.entry_id), row.at_us, attempt)


async def _set_chunk(connection: AsyncConnection, campaign_id: str, chunk: int, theirs: dict[int, Redrive]) -> None:
    tried = select(attempts).where(attempts.c.campaign_id == campaign_id, attempts.c.chunk == chunk)
    moved = select(moves).where(moves.c.campaign_id == campaign_id, moves.c.chunk == chunk)
    told = select(receipts).where(receipts.c.campaign_id == campaign_id, receipts.c.chunk == chunk)
    lives = {offset: _Life(redrive) for offset, redrive in theirs.items()}
    for row in await connection.execute(tried):
        if row.offset in lives:
            lives[row.offset].tried(row)
    for row in await connection.execute(moved):
        for offset, state, _, _ in msgpack.unpackb(row.moves):
            if offset in lives and order(row.entry_id) > theirs[offset].entry:
                lives[offset].stood.append(Standing(rank_of_mark(state), row.at_us, "", ""))
    for row in await connection.execute(told):
        if row.offset in lives:
            lives[row.offset].told.append(row)
    plain = [_row(campaign_id, chunk, offset, life) for offset, life in lives.items() if not life.earlier]
    retried = [_row(campaign_id, chunk, offset, life) for offset, life in lives.items() if life.earlier]
    if plain:
        await connection.execute(_SET, [{name: row[name] for name in row if name != "b_carrier_id"} for row in plain])
    if retried:
        await connection.execute(_SET_RETRIED, retried)


class _Life:
    """A message since its last redrive: where it stood, by attempts, moves and receipts.

    One that the carrier had taken before, and could not deliver, has carrier ids of earlier attempts: what is said of those counts
    no more, unless they were delivered after all.
    """

    def __init__(self, redrive: Redrive) -> None:
        self.redrive = redrive
        self.stood = [Standing(0, redrive.at_us, "", "")]
        self.told: list[Found[Any]] = []
        self.carrier_id = ""
        self._before: set[str] = set()
        self._since: set[str] = set()

    def tried(self, row: Found[Any]) -> None:
        if row.attempt <= self.redrive.attempt:
            self._before.add(row.carrier_id)
            return
        self._since.add(row.carrier_id)
        self.carrier_id = row.carrier_id or self.carrier_id
        if row.rank >= 0:
            at_us = max(row.answered_us or 0, row.sent_us or 0, row.taken_us)
            self.stood.append(Standing(row.rank, at_us, row.error_code, row.error_text))

    @property
    def earlier(self) -> set[str]:
        early = {row.carrier_id for row in self.told if row.received_us <= self.redrive.at_us}
        return (self._before | early) - self._since - {""}

    def now(self) -> Standing:
        earlier = self.earlier
        for row in self.told:
            rank = rank_of_receipt(row.status)
            if row.carrier_id not in earlier or rank == _DELIVERED:
                at_us = row.occurred_us if row.occurred_us > 0 else row.received_us
                self.stood.append(Standing(rank, at_us, row.error_code, row.error_text))
        return max(self.stood)


def _row(campaign_id: str, chunk: int, offset: int, life: _Life) -> dict[str, object]:
    now = life.now()
    place = {"b_campaign": campaign_id, "b_chunk": chunk, "b_offset": offset, "b_carrier_id": life.carrier_id}
    return place | {
        "b_rank": now.rank,
        "b_status_us": now.status_us,
        "b_error_code": now.error_code,
        "b_error_text": now.error_text or None,
    }
