"""Unknown messages for which the carrier has a record become submitted, in `serve`, a few look-ups a minute.

A record has no reference of ours. So one counts only if nothing else could be meant, on either side: the only record to this
person by this sender at that time, whose id no message of ours has, and no other message of ours that may have it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic, time_ns

from sqlalchemy.ext.asyncio import AsyncEngine

from producer.bill.comparison import receipt
from producer.bill.filling import Filling
from producer.carrier import carrier
from volley.carrier.records_api import DetailRecord, DetailRecords
from volley.ledger.bills import Bills
from volley.ledger.likely import Unknown, likely_answers
from volley.ledger.stream import LedgerStream
from volley.outbox.events import ReceiptRecord
from volley.outbox.outbox import Outbox
from volley.settings import Settings

log = logging.getLogger(__name__)

AT_ONCE = 30
"""Look-ups a round, which is a minute."""
_ROUND_S = 60.0
_YOUNGEST_US = 120_000_000
_OLDEST_US = 7 * 86_400_000_000
_PEOPLE = 2_000
_FIRST_S = 300.0
_LONGEST_S = 21_600.0
_LAG_S = 30.0

Fill = Callable[[list[ReceiptRecord]], Awaitable[None]]


class Resolving:
    """Remembers when it looked for each message, and looks ever more rarely."""

    def __init__(self, bills: Bills, records: DetailRecords, fill: Fill) -> None:
        self._bills = bills
        self._records = records
        self._fill = fill
        self._looks: dict[str, tuple[float, float]] = {}

    async def round(self, now_us: int) -> int:
        """Looks for the records of some; how many are resolved. Raises TryAgainLater and UnusableInput."""
        people = await self._bills.doubtful(now_us - _OLDEST_US, now_us - _YOUNGEST_US, _PEOPLE)
        unknown = await self._bills.unknown(people)
        self._looks = {each.message_id: self._looks.get(each.message_id, (0.0, _FIRST_S)) for each in unknown}
        resolved = 0
        for message in self._due(unknown, now_us)[:AT_ONCE]:
            wait = self._looks[message.message_id][1]
            self._looks[message.message_id] = (monotonic() + wait * random.uniform(0.8, 1.2), min(2 * wait, _LONGEST_S))
            resolved += await self._resolve(message, unknown, now_us)
        return resolved

    def _due(self, unknown: Iterable[Unknown], now_us: int) -> list[Unknown]:
        now = monotonic()
        found = [each for each in unknown if each.latest_us < now_us - _YOUNGEST_US and named(each)]
        waiting = [each for each in found if self._looks[each.message_id][0] <= now]
        return sorted(waiting, key=lambda each: self._looks[each.message_id])

    async def _resolve(self, message: Unknown, unknown: list[Unknown], now_us: int) -> bool:
        since, until = message.earliest_us // 1_000_000 * 1_000_000, (message.latest_us // 1_000_000 + 1) * 1_000_000
        records = await self._records.to(message.to, since, until) or []
        known = await self._bills.by_carrier_id([record.uuid for record in records])
        record = only_answer([record for record in records if record.uuid not in known], message, unknown)
        ours = await self._bills.unmistakable(message) if record else None
        if record is None or ours is None:
            return False
        await self._fill([receipt(record, ours, now_us)])
        return True


def named(message: Unknown) -> bool:
    """Whether it is known which number sent it: without that a record proves too little."""
    return bool(message.sender) and not message.sender.startswith("pool:")


def only_answer(records: list[DetailRecord], message: Unknown, unknown: list[Unknown]) -> DetailRecord | None:
    """The record that can only be this message's, and which only this one of the unknown messages can have."""
    outbound = [record for record in records if record.direction != "inbound"]
    answers = [each for each in likely_answers(outbound, unknown) if each.message_id == message.message_id]
    if len(answers) != 1 or not answers[0].alone:
        return None
    return next(record for record in outbound if record.uuid == answers[0].uuid)


async def keep_resolving(settings: Settings, outbox: Outbox, engine: AsyncEngine, *, every_s: float = _ROUND_S) -> None:
    """Until it is cancelled. What fails is tried again the next time."""
    if settings.current.api_key is None:
        log.warning("TELNYX_API_KEY is not set: no records are asked for, and unknown messages wait for webhooks alone")
        return
    async with carrier(settings.current) as api:
        work = Resolving(Bills(engine), DetailRecords(api), Filling(outbox).add)
        stream = LedgerStream(outbox.redis, outbox.keys.ledger, "resolving")
        while True:
            await asyncio.sleep(every_s * random.uniform(0.8, 1.2))
            try:
                # what was sent meanwhile must be in the ledger, or it could not be told from what is unknown
                resolved = await work.round(time_ns() // 1000) if await stream.lag_seconds() < _LAG_S else 0
            except Exception as error:  # noqa: BLE001 - the recorder and the webhooks beside it go on
                log.warning("the records of unknown messages were not read: %s; the next try is in a minute", error)
            else:
                if resolved:
                    log.info("%d unknown messages were found in the carrier's records: they are submitted", resolved)
