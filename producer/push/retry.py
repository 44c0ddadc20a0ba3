"""What failed for good is tried once more, by error class: a person has put right what it failed for.

Nobody gets a text twice by it: only what the carrier refused, or says that it could not deliver, and of which every attempt is known.
It goes under a new idempotency key, as the old one would only be answered as before; receipts of the attempts before count no more,
but that it was delivered after all, be it after the ledger was read. Whoever begins later than another is the only one who goes on,
and reads the ledger only when it knows of all that had happened when they began.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.push.redrive import refs, stored
from producer.records import ledger
from volley.errors import RefusedByPolicy, TryAgainLater, UnusableInput
from volley.ledger.dead import Corpse
from volley.ledger.failed import Failed, Reason, failed, reasons
from volley.ledger.stream import order
from volley.outbox.chunks import decode
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.outbox.views import CampaignView
from volley.settings import Settings
from volley.state import RETRIES_ARG

_GONE, _OVER, _OTHER = -1, -2, -3
_TRIES = 3
_PATIENCE_S = 15.0
_LOOK_S = 0.1


@dataclass(slots=True)
class Retried:
    """`messages` are ready again; `uncertain` failed too, and are left alone, as an attempt of theirs may have arrived."""

    messages: int = 0
    uncertain: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


async def why_failed(settings: Settings, campaign_id: str) -> list[Reason]:
    """The error classes of a campaign."""
    async with ledger(settings) as engine:
        return await reasons(engine, campaign_id)


async def retry(
    settings: Settings, outbox: Outbox, campaign_id: str, codes: Sequence[str], *, patience_s: float = _PATIENCE_S
) -> Retried:
    """Makes a campaign's messages that failed with these codes ready, on the disk before this returns. Harmless to run again.

    Raises:
        UnusableInput: no code is named; there is no such campaign, or nothing of it may be sent any more.
        RefusedByPolicy: somebody else began to retry meanwhile.
        TryAgainLater: Redis or the ledger is away, or behind; Redis is full.
    """
    view = await outbox.campaign(campaign_id)
    if view is None:
        raise UnusableInput(
            f"no campaign {campaign_id[:40]!r} in Redis: see volley campaigns; push anew what should go"
        )
    if not codes:
        raise UnusableInput("name the errors whose messages are to go once more, as in --error 40008")
    check_open(view)
    with reaching():
        turn = int(await outbox.scripts.durable("retry", campaign_id, ""))
        await _recorded(outbox, patience_s)
    async with ledger(settings) as engine:
        result = Retried()
        async for index, theirs, uncertain in failed(engine, campaign_id, codes):
            result.uncertain += uncertain
            action = b"" if result.messages else outbox.action("retry", campaign_id, errors=list(codes))
            result.messages += await _chunk(outbox, engine, (campaign_id, index, turn), theirs, action) if theirs else 0
    with reaching():
        await outbox.scripts.run("retry", campaign_id, turn)
    return result


def check_open(view: CampaignView) -> None:
    """Raises UnusableInput where nothing more may be sent."""
    name = view.campaign.id
    if view.state in ("cancelled", "expired"):
        raise UnusableInput(f"campaign {name} is {view.state}: push what should go after all anew, with volley send")
    if 0 < view.campaign.expires_us <= time.time_ns() // 1000:
        raise UnusableInput(
            f"campaign {name} has expired: give it more time first, with volley campaigns set {name} --expires"
        )


async def _recorded(outbox: Outbox, patience_s: float) -> None:
    """Until the ledger knows of all that has happened up to now."""
    newest = await outbox.redis.execute_command("XREVRANGE", outbox.keys.ledger, "+", "-", "COUNT", 1)
    if not newest:
        return
    last = order(newest[0][0].decode())
    until = time.monotonic() + patience_s
    while True:
        oldest = await outbox.redis.xrange(outbox.keys.ledger, count=1)
        if not oldest or order(oldest[0][0].decode()) > last:
            return
        if time.monotonic() > until:
            raise TryAgainLater(
                "the ledger does not know yet what came of all messages: see that volley serve runs, then try again"
            )
        await asyncio.sleep(_LOOK_S)


async def _chunk(
    outbox: Outbox, engine: AsyncEngine, place: tuple[str, int, int], theirs: list[Failed], action: bytes
) -> int:
    """A chunk that has left Redis is put back first. The recorder may drop it in between: then once more."""
    campaign_id, index, turn = place
    ids = sorted({name for each in theirs for name in each.carrier_ids})
    states = "".join(each.state for each in theirs)
    for _ in range(_TRIES):
        chunk = decode(await stored(outbox, engine, campaign_id, index))
        packed = refs(index, chunk, [Corpse(each.offset, each.attempts) for each in theirs])
        with reaching():
            arguments = turn, RETRIES_ARG, index, outbox.dispatch.pin_days, packed, states, action
            moved = int(await outbox.scripts.durable("retry", campaign_id, *arguments, *ids))
        if moved == _OVER:
            raise UnusableInput(f"campaign {campaign_id} is over: nothing of it is sent any more")
        if moved == _OTHER:
            raise RefusedByPolicy(
                f"somebody else began to retry campaign {campaign_id} meanwhile (or this took too long): see what came of that first"
            )
        if moved != _GONE:
            return moved
    raise TryAgainLater(f"chunk {index} of campaign {campaign_id} leaves Redis again and again: try again later")
