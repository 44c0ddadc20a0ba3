"""A campaign that Redis has lost, from the ledger back into Redis: its chunks first, then itself, whole and paused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from time import time_ns
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.rebuild import claims
from volley.errors import UnusableInput
from volley.ledger import restoration
from volley.ledger.paging import pages
from volley.ledger.restoration import Known, Lost, PutBack, put_back
from volley.outbox import budget, hours, pushes
from volley.outbox.chunks import Chunk, decode
from volley.outbox.doubts import DOUBT
from volley.outbox.events import NOBODY
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.state import State

_PAGE = 20
_ENDED = {"cancelled": "c", "expired": "e"}


@dataclass(slots=True)
class Rebuilt:
    """What became of one campaign. `unknown`: of these nobody can know whether they went out, `marked` of them only since Redis
    was lost. `why`: what kept it from being put back; "" where it is."""

    campaign_id: str
    profile: str
    accepted: int
    state: str = ""
    ready: int = 0
    unknown: int = 0
    marked: int = 0
    ended: int = 0
    chunks: int = 0
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class _Parts:
    """A campaign on its way: where planning begins, chunks in Redis, and states of the messages of all others."""

    following: int
    held: list[int] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    prices: dict[str, int] = field(default_factory=dict)
    charged: int = 0


class Rebuilding:
    """`refused`: countries in which an alphanumeric sender's fallback sends. `dry`: says what would be done, and does nothing."""

    def __init__(
        self, outbox: Outbox, engine: AsyncEngine, margin_chunks: int, refused: Sequence[str] = (), *, dry: bool = False
    ) -> None:
        self._outbox = outbox
        self._engine = engine
        self._margin = margin_chunks
        self._refused = sorted(refused)
        self._dry = dry
        self._senders: dict[str, int] = {}
        self._now_us = time_ns() // 1000

    async def campaign(self, lost: Lost) -> Rebuilt:
        """Puts one back. Harmless to run again, also after it was killed half-way.

        Raises:
            TryAgainLater: Redis is away.
        """
        campaign = lost.campaign
        rebuilt = Rebuilt(campaign.id, campaign.profile, campaign.accepted, lost.state)
        if await self._outbox.campaign(campaign.id) is not None:
            rebuilt.why = "it is in Redis"
            return rebuilt
        try:
            arguments = () if self._dry else await self._sealing(lost)
        except UnusableInput as error:
            rebuilt.why = str(error)
            return rebuilt
        self._senders = {number: index for index, number in (await self._outbox.sender_numbers()).items()}
        parts = await self._chunks(lost, rebuilt)
        if not rebuilt.why and not self._dry:
            await self._whole(lost, arguments, parts, rebuilt)
        return rebuilt

    async def _sealing(self, lost: Lost) -> Sequence[str | bytes | int]:
        campaign = lost.campaign
        left_s = claims.life_s(campaign, self._now_us)
        refused = self._refused if campaign.fallback else []
        with reaching():
            redis, keys = self._outbox.redis, self._outbox.keys
            index = await pushes.known(redis, keys, campaign.profile)
            return await pushes.sealing(redis, keys, campaign, left_s, refused, index)

    async def _chunks(self, lost: Lost, rebuilt: Rebuilt) -> _Parts:
        campaign = lost.campaign
        async with self._engine.connect() as connection:
            begun = await restoration.begun_chunks(connection, campaign.id)
        doubtful_before = restoration.doubtful_before(begun, self._margin)
        parts = _Parts(campaign.chunks)
        for indexes in pages(range(campaign.chunks), _PAGE):
            async with self._engine.connect() as connection:
                blobs = await restoration.blobs(connection, campaign.id, indexes)
                known = await restoration.known(connection, campaign.id, indexes)
            for index in indexes:
                if index not in blobs:
                    rebuilt.why = f"its chunk {index} is not in the ledger, as Redis was lost before it was recorded: push it anew"
                    return parts
                await self._chunk(
                    (campaign.id, index), blobs[index], known[index], index < doubtful_before, parts, rebuilt
                )
        rebuilt.ended = campaign.accepted - rebuilt.ready - rebuilt.unknown
        return parts

    async def _chunk(
        self, name: tuple[str, int], blob: bytes, known: Known, doubtful: bool, parts: _Parts, rebuilt: Rebuilt
    ) -> None:
        chunk, index = decode(blob), name[1]
        back = put_back(known, len(chunk), doubtful=doubtful)
        counted = Counter(back.states)
        parts.prices |= budget.prices_in(chunk)
        parts.charged += budget.charged(chunk, back.states)
        rebuilt.ready += counted[State.READY]
        rebuilt.unknown += counted[State.UNKNOWN]
        rebuilt.marked += len(back.marked)
        if counted[State.READY]:
            parts.following = min(parts.following, index)
        if not back.open and index < parts.following:
            parts.others += counted
            return
        parts.held.append(index)
        rebuilt.chunks += 1
        if not self._dry:
            marked = b"".join(offset.to_bytes(2, "big") for offset in back.marked)
            doubts = self._doubts(chunk, back, known)
            with reaching():
                await self._outbox.scripts.run("rebuild_chunk", *name, blob, back.states, marked, *doubts)

    def _doubts(self, chunk: Chunk, back: PutBack, known: Known) -> list[bytes]:
        """Only what was tried once, by a sender that is there, may be repeated: of all others nobody knows under which key."""
        found = []
        for offset, state in enumerate(back.states):
            if state != State.UNKNOWN:
                continue
            tried = known.tried.get(offset)
            sender = self._senders.get(tried.sender, NOBODY) if tried else NOBODY
            since_us, attempts = (tried.since_us, 1) if tried else (self._now_us, 0)
            packed = DOUBT.pack(1, sender, chunk.parts[offset], attempts, attempts, 0, chunk.to[offset], since_us, 0, 0)
            found.append(offset.to_bytes(2, "big") + packed)
        return found

    async def _whole(self, lost: Lost, arguments: Sequence[str | bytes | int], parts: _Parts, rebuilt: Rebuilt) -> None:
        async with self._engine.connect() as connection:
            sent = await restoration.sent(connection, lost.campaign.id)
        others = " ".join(f"{state}={count}" for state, count in parts.others.items())
        held = " ".join(map(str, parts.held))
        # before it is there: were this to end in between, a request made again must not send a second time
        await claims.put_back(self._outbox, [lost.campaign], self._now_us)
        with reaching():
            await hours.before_seal(self._outbox.scripts, lost.campaign)
            answer = await self._outbox.scripts.durable(
                "rebuild",
                _ENDED.get(lost.state, "p"),
                parts.following,
                held,
                others,
                lost.campaign.created_us,
                *sent,
                *arguments[:-1],
                budget.packed(parts.prices),
                parts.charged,
                "1" if lost.campaign.claims else "",
            )
        if answer != b"rebuilt":
            rebuilt.why = f"Redis would not have it ({answer.decode()}): run volley rebuild again"
