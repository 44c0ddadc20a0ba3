"""A record of the carrier's beside a message of ours: in what they differ, and what the record adds. Pure."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from volley.carrier.records_api import DetailRecord
from volley.ledger.bills import Ours
from volley.ledger.ranks import FINAL, STATUS_OF, rank_of_receipt
from volley.ledger.rows import COST_FINAL, DETAIL_RECORD
from volley.money import amount
from volley.outbox.events import ReceiptRecord

Difference = dict[str, Any]
KINDS = ("parts", "cost", "status", "doubled", "missing_at_carrier", "missing_here")
"""What can differ. `doubled`: the carrier has one message of ours under two ids."""


def differences(record: DetailRecord, ours: Ours) -> list[Difference]:
    """Where both sides have had their last word and do not agree. What the record merely adds is none."""
    found = []
    if record.parts > 0 and ours.parts > 0 and record.parts != ours.parts:
        found.append(_difference("parts", record, ours, ours.parts, record.parts))
    if ours.cost_rank == COST_FINAL and record.cost_micros >= 0 and _price(record) != (ours.cost_micros, ours.currency):
        said = f"{money(ours.cost_micros)} {ours.currency}", f"{money(record.cost_micros)} {record.currency}"
        found.append(_difference("cost", record, ours, *(each.strip() for each in said)))
    if ours.is_final and FINAL <= rank_of_receipt(record.status) < ours.rank:
        found.append(_difference("status", record, ours, STATUS_OF[ours.rank], record.said))
    if ours.carrier_id not in ("", record.uuid):
        found.append(_difference("doubled", record, ours, ours.carrier_id, record.uuid))
    return found


def _price(record: DetailRecord) -> tuple[int, str]:
    return record.cost_micros, record.currency


def _difference(kind: str, record: DetailRecord, ours: Ours, mine: object, theirs: object) -> Difference:
    return {
        "kind": kind,
        "message_id": ours.message_id,
        "carrier_id": record.uuid,
        "profile": ours.profile,
        "ours": mine,
        "theirs": theirs,
    }


def adds(record: DetailRecord, ours: Ours) -> bool:
    """Whether the record knows a status that is further, or the final cost of a message whose webhook did not come."""
    costs = record.cost_micros >= 0 and ours.cost_rank < COST_FINAL
    return costs or rank_of_receipt(record.status) > ours.rank


def receipt(record: DetailRecord, ours: Ours, received_us: int) -> ReceiptRecord:
    """The record as a receipt. The same record gives the same event, so that it may be applied any number of times."""
    campaign, chunk, offset = ours.place
    return ReceiptRecord(
        event_id=f"mdr:{record.uuid}:{record.said}",
        event_type=DETAIL_RECORD,
        # of a webhook and a record of one moment the webhook says more: it prevails, whichever comes first
        occurred_us=record.last_us - 1,
        received_us=received_us,
        campaign=campaign,
        chunk=chunk,
        offset=offset,
        carrier_id=record.uuid,
        status=record.status,
        sender=record.sender,
        to=record.to,
        encoding=ours.encoding,
        parts=record.parts,
        cost_micros=record.cost_micros,
        rate_micros=record.rate_micros,
        fee_micros=record.fee_micros,
        currency=record.currency,
        sent_us=record.sent_us,
        completed_us=record.completed_us,
        error_code=record.error_code,
        error_text="",
    )


def missing_there(ours: Ours) -> Difference:
    return {
        "kind": "missing_at_carrier",
        "message_id": ours.message_id,
        "carrier_id": ours.carrier_id or None,
        "profile": ours.profile,
        "ours": STATUS_OF[ours.rank],
        "theirs": None,
    }


def missing_here(record: DetailRecord) -> Difference:
    """`likely_answer` of it is for who knows the unknown messages."""
    return {
        "kind": "missing_here",
        "message_id": None,
        "carrier_id": record.uuid,
        "profile": record.profile,
        "ours": None,
        "theirs": record.said,
        "from": record.sender,
        "to": record.to,
        "created_us": record.created_us,
        "cost": money(record.cost_micros),
        "likely_answer": None,
    }


def money(value_micros: int) -> str | None:
    return None if value_micros < 0 else amount(value_micros)


@dataclass(slots=True)
class _Sum:
    ours: int = 0
    theirs: int = 0
    messages: int = 0
    records: int = 0


class Sums:
    """What a period cost by either side's account, by profile and currency, in micro-units. Currencies are never added up."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)

    def ours(self, profile: str, currency: str, micros: int) -> None:
        mine = self._sums[profile, currency]
        mine.messages += 1
        mine.ours += max(micros, 0)

    def theirs(self, profile: str, currency: str, micros: int) -> None:
        theirs = self._sums[profile, currency]
        theirs.records += 1
        theirs.theirs += max(micros, 0)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "profile": profile,
                "currency": currency,
                "messages": each.messages,
                "records": each.records,
                "ours": amount(each.ours),
                "theirs": amount(each.theirs),
                "difference": amount(each.theirs - each.ours),
            }
            for (profile, currency), each in sorted(self._sums.items())
        ]
