"""What is dead is tried once more: provably never sent, and a person wants it sent after all.

The ledger says which, and how often each was tried: attempts go on from there, and with them the generation of the idempotency
key, which must be above all that the carrier may have answered already.
"""

import time
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.records import ledger
from volley.errors import TryAgainLater, UnusableInput
from volley.ledger.dead import Corpse, corpses, kept_chunk
from volley.outbox import hours
from volley.outbox.chunks import Chunk, decode
from volley.outbox.flights import REF
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.outbox.views import CampaignView
from volley.settings import Settings
from volley.state import MOVES_ARG

_MOST_BYTE = 255
_GONE, _OVER = -1, -2
_TRIES = 3


class Dead(NamedTuple):
    """The dead messages of one chunk."""

    campaign_id: str
    chunk: int
    messages: list[Corpse]


@dataclass(slots=True)
class Redriven:
    """`messages` are ready again; `unrecorded` are dead too, and the ledger does not know of them yet."""

    messages: int = 0
    unrecorded: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


async def redrive(settings: Settings, outbox: Outbox, campaign_id: str) -> Redriven:
    """Makes all dead messages of a campaign ready, on the disk before this returns. Harmless to run again.

    Raises:
        UnusableInput: there is no such campaign, or it is over: nothing of it may be sent any more.
        TryAgainLater: Redis or the ledger is away, or Redis is full.
    """
    view = await outbox.campaign(campaign_id)
    if view is None:
        raise UnusableInput(
            f"no campaign {campaign_id[:40]!r} in Redis, so nothing of it can be sent: see volley campaigns"
        )
    _check_open(view)
    async with ledger(settings) as engine:
        found = await corpses(engine, campaign_id)
        known = sum(map(len, found.values()))
        result = Redriven(unrecorded=max(0, view.counts["dead"] - known))
        for index, theirs in found.items():
            # recorded with the first that is ready again, of all that are meant
            action = b"" if result.messages else outbox.action("redrive", campaign_id, dead=known)
            result.messages += await _chunk(outbox, engine, Dead(campaign_id, index, theirs), action)
    return result


def _check_open(view: CampaignView) -> None:
    expires_us = view.campaign.expires_us
    if view.state in ("cancelled", "expired") or 0 < expires_us <= time.time_ns() // 1000:
        state = view.state if view.state == "cancelled" else "expired"
        raise UnusableInput(
            f"campaign {view.campaign.id} is {state}: push what should go after all anew, with volley send"
        )


async def _chunk(outbox: Outbox, engine: AsyncEngine, dead: Dead, action: bytes) -> int:
    """A chunk that has left Redis is put back first. The recorder may drop it in between: then once more."""
    campaign_id, index, theirs = dead
    for _ in range(_TRIES):
        blob = await stored(outbox, engine, campaign_id, index)
        packed = refs(index, decode(blob), theirs)
        with reaching():
            arguments = MOVES_ARG, campaign_id, index, outbox.dispatch.pin_days, packed, action
            moved = int(await outbox.scripts.durable("redrive", *arguments))
        if moved == _OVER:
            raise UnusableInput(f"campaign {campaign_id} is over: nothing of it is sent any more")
        if moved != _GONE:
            return moved
    raise TryAgainLater(f"chunk {index} of campaign {campaign_id} leaves Redis again and again: try again later")


async def stored(outbox: Outbox, engine: AsyncEngine, campaign_id: str, index: int) -> bytes:
    """A chunk's blob; one that has left Redis is put back, as the ledger has it."""
    with reaching():
        held = await outbox.redis.get(outbox.keys.chunk(campaign_id, index))
    blob = held or await _restored(outbox, engine, campaign_id, index)
    with reaching():
        await hours.restored(outbox.scripts, campaign_id, index, blob)
    return blob


async def _restored(outbox: Outbox, engine: AsyncEngine, campaign_id: str, index: int) -> bytes:
    kept = await kept_chunk(engine, campaign_id, index)
    if kept is None:
        raise UnusableInput(
            f"chunk {index} of campaign {campaign_id} is neither in Redis nor in the ledger: push it anew"
        )
    blob, states = kept
    if len(states) < len(decode(blob)):
        raise TryAgainLater(
            f"the ledger does not know yet what came of all of chunk {index}: see that volley serve runs, then try again"
        )
    text = "".join(states[offset] for offset in range(len(states)))
    with reaching():
        await outbox.scripts.durable("restore", campaign_id, index, blob, text)
    return blob


def refs(index: int, chunk: Chunk, theirs: list[Corpse]) -> bytes:
    """Each ref as after its last attempt, and with all its budget of attempts again."""
    return b"".join(
        REF.pack(
            index, offset, chunk.parts[offset], min(tried, _MOST_BYTE), 0, min(tried, _MOST_BYTE), chunk.to[offset]
        )
        for offset, tried in theirs
    )
