"""What each event of the carrier's leads to: receipts and texts are made durable, opt-outs and rests follow, the rest is counted."""

import time
from collections import Counter
from operator import attrgetter
from typing import assert_never

from producer.web.gathering import Gathering
from producer.web.rests import Rests
from producer.web.tally import Tally
from volley.carrier.events import Event, InboundMessage, Other, ReceiptEvent, SpendLimit
from volley.outbox import inbound
from volley.outbox.events import ReceiptRecord
from volley.outbox.inbound import InboundRecord, Said, Word
from volley.outbox.outbox import Outbox

KEPT_BYTES = 64 << 10
KEPT_AN_HOUR = 100
"""Bodies that cannot be read, kept raw: more of the same teach nothing."""

_AHEAD_US = 86_400_000_000
_fields = attrgetter(*ReceiptRecord._fields)


class Intake:
    """`receipts.run` and `texts.run` must be running while `take` is used."""

    def __init__(self, outbox: Outbox, tally: Tally) -> None:
        self._outbox = outbox
        self._tally = tally
        self._counts: Counter[str] = tally.counts
        self._rests = Rests(outbox, tally.counts)
        self._kept: tuple[int, int] = (0, 0)
        self.receipts: Gathering[ReceiptRecord] = Gathering(outbox.apply_receipts, tally.counts)
        self.texts: Gathering[Said] = Gathering(self._hear, tally.counts, "heard")

    async def take(self, event: Event) -> None:
        """Returns once what the event says is durable.

        Raises:
            TryAgainLater: it is not, and the carrier should send it again.
        """
        match event:
            case ReceiptEvent():
                await self._receipt(event)
            case InboundMessage():
                self._counts["inbound"] += 1
                await self.texts.add(_said(event))
            case SpendLimit():
                self._counts["spend_limits"] += 1
                await self._rests.spent(event)
            case Other():
                self._tally.unused(event.event_type)
            case _:
                assert_never(event)

    async def keep(self, body: bytes, reason: str) -> None:
        """A body that nobody can read goes to the ledger's quarantine, the first of each hour at least. Raises TryAgainLater."""
        self._counts["unreadable"] += 1
        hour = int(time.time()) // 3600
        kept = self._kept[1] if self._kept[0] == hour else 0
        if kept < KEPT_AN_HOUR:
            self._kept = (hour, kept + 1)
            await inbound.keep(self._outbox, body[:KEPT_BYTES], reason)

    async def _receipt(self, event: ReceiptEvent) -> None:
        if event.opted_out:
            await self.texts.add(
                Said(None, _word(event.profile, event.to, "stop", event.occurred_us, event.received_us))
            )
        await self.receipts.add(ReceiptRecord(*_fields(event)))
        if not event.campaign:
            self._counts["strangers"] += 1
        if event.error_code and not event.opted_out:
            await self._rests.told(event)

    async def _hear(self, said: list[Said]) -> None:
        heard = await inbound.hear(self._outbox, [each for each in said if each.record or each.word])
        self._counts["opted_out"] += heard.added
        self._counts["opted_in"] += heard.removed
        self._counts["unknown_profile"] += heard.unknown


def _said(event: InboundMessage) -> Said:
    at_us = _moment(event.occurred_us, event.received_us)
    record = InboundRecord(
        event.event_id,
        at_us,
        event.received_us,
        event.carrier_id,
        event.profile,
        event.sender,
        event.to,
        event.text,
        list(event.media),
        event.keyword,
    )
    return Said(record, _word(event.profile, event.sender, event.keyword, event.occurred_us, event.received_us))


def _word(profile: str, number: str, keyword: str, occurred_us: int, received_us: int) -> Word | None:
    who = inbound.person(number)
    return Word(profile, who, keyword, _moment(occurred_us, received_us)) if who and keyword else None


def _moment(occurred_us: int, received_us: int) -> int:
    """When it was said; when it arrived where the carrier does not tell, or tells of a far future."""
    return occurred_us if 0 < occurred_us < received_us + _AHEAD_US else received_us
