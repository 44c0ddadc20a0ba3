"""Cancelling what the carrier has already: each message of a scheduled campaign that it keeps until its time."""

import asyncio
import time
from dataclasses import asdict, dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.carrier import carrier
from producer.records import ledger
from volley.campaign import Campaign
from volley.carrier.api import TelnyxApi
from volley.carrier.messages_api import CANCELLED, CarrierMessage, withdraw
from volley.ledger.kept import Kept, kept, taken
from volley.numbers import e164
from volley.outbox.events import ReceiptRecord
from volley.outbox.outbox import Outbox
from volley.settings import Settings

EVENT = "message.cancelled"
"""The type of our own event; the carrier sends none."""

_A_SECOND = 100
_AT_ONCE = 16
_PATIENCE_S = 15.0
_LOOK_S = 0.25


@dataclass(slots=True)
class Withdrawal:
    """Counts of messages. `unrecorded` are with the carrier and not in the ledger yet: the same command again finds them.
    `unknown`: nobody knows whether the carrier has them; those that it has may still go.
    """

    cancelled: int = 0
    too_late: int = 0
    unrecorded: int = 0
    unknown: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


async def withdraw_all(settings: Settings, outbox: Outbox, campaign: Campaign) -> Withdrawal:
    """Cancels what the carrier keeps of a campaign that is cancelled here. Harmless to run again.

    Raises:
        UnusableInput: no API key, or a refused one.
        TryAgainLater: carrier, ledger or Redis are away, or the carrier had no answer for some messages. The others were
            cancelled, unless it had none for a hundred in a row; what was cancelled is recorded.
    """
    found, failures = Withdrawal(), list[BaseException]()
    async with ledger(settings) as engine, carrier(settings.current) as api:
        found.unrecorded = await _settled(outbox, engine, campaign)
        async for batch in kept(engine, campaign.id, _A_SECOND):
            began = time.monotonic()
            failed = await _withdraw(api, outbox, campaign, batch, found)
            failures += failed
            if len(failed) == len(batch):
                break
            if len(batch) == _A_SECOND:
                await asyncio.sleep(max(0.0, began + 1.0 - time.monotonic()))
    if failures:
        raise failures[0]
    view = await outbox.campaign(campaign.id)
    found.unknown = view.counts["unknown"] if view else 0
    return found


async def _settled(outbox: Outbox, engine: AsyncEngine, campaign: Campaign) -> int:
    """Waits until what was in flight is settled and recorded. How many are not, when patience ends."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        view = await outbox.campaign(campaign.id)
        if view is None:
            return 0
        missing = max(0, view.counts["submitted"] + view.in_flight - await taken(engine, campaign.id))
        if not missing or time.monotonic() >= end:
            return missing
        await asyncio.sleep(_LOOK_S)


async def _withdraw(
    api: TelnyxApi, outbox: Outbox, campaign: Campaign, batch: list[Kept], found: Withdrawal
) -> list[BaseException]:
    """What was cancelled is recorded before any error is told. The errors of those that got no answer."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(message: Kept) -> CarrierMessage | None:
        async with slots:
            return await withdraw(api, message.carrier_id)

    answers = await asyncio.gather(*(one(message) for message in batch), return_exceptions=True)
    pairs = list(zip(batch, answers, strict=True))
    records = [_receipt(campaign.id, kept, said) for kept, said in pairs if isinstance(said, CarrierMessage)]
    if records:
        await outbox.apply_receipts(records)
    found.cancelled += len(records)
    found.too_late += answers.count(None)
    return [answer for answer in answers if isinstance(answer, BaseException)]


def _receipt(campaign_id: str, message: Kept, said: CarrierMessage) -> ReceiptRecord:
    """One event a message, however often it is told."""
    now_us = time.time_ns() // 1000
    return ReceiptRecord(
        event_id=f"{CANCELLED}:{message.carrier_id}",
        event_type=EVENT,
        occurred_us=now_us,
        received_us=now_us,
        campaign=campaign_id,
        chunk=message.chunk,
        offset=message.offset,
        carrier_id=message.carrier_id,
        status=CANCELLED,
        sender="",
        to="" if message.recipient is None else e164(message.recipient),
        encoding="",
        parts=0,
        cost_micros=-1 if said.cost_micros is None else said.cost_micros,
        rate_micros=-1,
        fee_micros=-1,
        currency=said.currency,
        sent_us=-1,
        completed_us=now_us,
        error_code="",
        error_text="",
    )
