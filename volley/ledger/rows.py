"""Rows of the ledger, each made from one record. A contribution to `messages` names only what its record knows;
`NOTHING` fills the rest with what every register of merge.py yields to. Pure.
"""

from collections.abc import Mapping

from volley.campaign import Campaign
from volley.ledger.ranks import FINAL, SUBMITTED, rank_of_mark, rank_of_receipt
from volley.numbers import country
from volley.outbox.chunks import ENCODINGS, Chunk
from volley.outbox.events import AttemptRecord, ReceiptRecord
from volley.sender import is_carrier_pool

Row = dict[str, object]
Place = tuple[str, int, int]
"""Campaign id, chunk, offset."""
Step = tuple[int, str, str | None, int]
"""One move: offset, new state byte, sender, attempt (0: none)."""

NAMELESS = -1
"""`taken_us` of a row that does not know who its message is for."""

NOTHING: Row = {
    "rank": 0,
    "status_us": -1,
    "error_code": "",
    "error_text": None,
    "attempts": 0,
    "taken_us": NAMELESS,
    "recipient": None,
    "country": None,
    "reference": None,
    "encoding": None,
    "parts": None,
    "estimated_micros": None,
    "sender_attempt": -1,
    "sender": None,
    "carrier_id": "",
    "parts_us": -1,
    "carrier_parts": None,
    "carrier_encoding": None,
    "cost_rank": 0,
    "cost_us": -1,
    "cost_micros": None,
    "rate_micros": None,
    "fee_micros": None,
    "currency": None,
    "sent_us": None,
    "submitted_us": None,
    "completed_us": None,
}

COST_RANK_ANSWER = 1
COST_FINAL = 3
_RECEIPT_UNKNOWNS = ("cost_micros", "rate_micros", "fee_micros", "sent_us", "completed_us")
DETAIL_RECORD = "detail_record"
"""Type of an event that was read from the carrier's records, where no webhook told of it."""
_FINAL_EVENTS = ("message.finalized", "message.cancelled", DETAIL_RECORD)
_COST_RANKS = {"message.sent": 2} | dict.fromkeys(_FINAL_EVENTS, COST_FINAL)

_UNSEALED: Row = {
    "profile": None,
    "idempotency_key": None,
    "currency": None,
    "created_us": -1,
    "accepted": None,
    "chunks": None,
    "facts": None,
    "started_us": None,
}


def campaign_row(campaign: Campaign) -> Row:
    return {
        "id": campaign.id,
        "profile": campaign.profile,
        "idempotency_key": campaign.idempotency_key,
        "currency": campaign.currency,
        "created_us": campaign.created_us,
        "accepted": campaign.accepted,
        "chunks": campaign.chunks,
        "facts": campaign.to_json(),
        "state": "ready",
        "state_us": -1,
        "started_us": None,
    }


def campaign_event_row(campaign_id: str, state: str, at_us: int, detail: str | None = None) -> Row:
    """`detail` is JSON; None where there is none to tell."""
    return {"campaign_id": campaign_id, "at_us": at_us, "state": state, "detail": detail}


def state_row(campaign_id: str, state: str, at_us: int) -> Row:
    """A campaign of which only a change of state is known."""
    return _UNSEALED | {"id": campaign_id, "state": state, "state_us": at_us}


def starts_of(started: Mapping[str, int]) -> list[Row]:
    """Campaigns of which only is known when a message of theirs went out."""
    nothing = _UNSEALED | {"state": "ready", "state_us": -1}
    return [nothing | {"id": campaign_id, "started_us": sent_us} for campaign_id, sent_us in started.items()]


def _known(value: int) -> int | None:
    return None if value < 0 else value


def _moment(at_us: int) -> int | None:
    return at_us if at_us > 0 else None


def place_row(place: Place) -> Row:
    return {"campaign_id": place[0], "chunk": place[1], "offset": place[2]}


def attempt_row(record: AttemptRecord, rank: int) -> Row:
    return {
        "campaign_id": record.campaign,
        "chunk": record.chunk,
        "offset": record.offset,
        "attempt": record.attempt,
        "taken_us": record.taken_us,
        "rank": rank,
        "sent_us": _moment(record.sent_us),
        "answered_us": _moment(record.answered_us),
        "sender": record.sender,
        "outcome": record.outcome,
        "http_status": record.http_status or None,
        "error_code": record.error_code,
        "error_text": record.error_text,
        "carrier_id": record.carrier_id,
        "carrier_parts": record.carrier_parts if record.carrier_parts > 0 else None,
        "cost_micros": _known(record.cost_micros),
    }


def optout_row(line: str) -> Row:
    """A line of an `optouts` entry. Raises ValueError."""
    profile, recipient, opted_out, at_us = line.rsplit(" ", 3)
    return {"profile": profile, "recipient": int(recipient), "at_us": int(at_us), "opted_out": int(opted_out)}


def receipt_row(record: ReceiptRecord) -> Row:
    row: Row = record._asdict()
    row |= {"campaign_id": row.pop("campaign"), "recipient": row.pop("to")}
    return row | {name: _known(getattr(record, name)) for name in _RECEIPT_UNKNOWNS}


def message_of_chunk(place: Place, chunk: Chunk) -> Row:
    """What the sealed chunk says of a message; an attempt knows the same and has the last word."""
    offset = place[2]
    recipient = chunk.to[offset]
    return (
        NOTHING
        | place_row(place)
        | {
            "taken_us": 0,
            "recipient": recipient,
            "country": country(recipient),
            "reference": chunk.references[offset] if chunk.references else None,
            "encoding": ENCODINGS[chunk.encodings[offset]],
            "parts": chunk.parts[offset],
            "estimated_micros": _known(chunk.estimates[offset]),
        }
    )


def message_of_attempt(record: AttemptRecord, rank: int) -> Row:
    """Whatever settle made of its state, an attempt's facts count; its state only where settle took it."""
    at_us = max(record.answered_us, record.sent_us, record.taken_us)
    row = NOTHING | {
        "campaign_id": record.campaign,
        "chunk": record.chunk,
        "offset": record.offset,
        "attempts": record.attempt,
        "taken_us": record.taken_us,
        "recipient": record.to,
        "country": country(record.to),
        "reference": record.reference,
        "encoding": record.encoding,
        "parts": record.parts,
        "estimated_micros": _known(record.estimated_micros),
        "carrier_id": record.carrier_id,
        "sent_us": _moment(record.sent_us),
    }
    row |= _sender(record.sender, record.attempt)
    if rank >= 0:
        row |= {
            "rank": rank,
            "status_us": at_us,
            "error_code": record.error_code,
            "error_text": record.error_text or None,
        }
    if rank == SUBMITTED:
        row["submitted_us"] = at_us
    return row | _carrier_facts(record, COST_RANK_ANSWER, at_us, record.carrier_encoding, record.carrier_parts)


def message_of_move(place: Place, step: Step, at_us: int) -> Row:
    _, state, sender, attempt = step
    rank = rank_of_mark(state)
    row = NOTHING | place_row(place) | {"rank": rank, "status_us": at_us, "attempts": attempt}
    return row if sender is None else row | _sender(sender, attempt)


def _sender(sender: str, attempt: int) -> Row:
    """Nothing while only the carrier's pool is known and not the number that the carrier took from it."""
    return {} if is_carrier_pool(sender) else {"sender": sender, "sender_attempt": attempt}


def message_of_receipt(record: ReceiptRecord) -> Row:
    place = (record.campaign, record.chunk, record.offset)
    rank = rank_of_receipt(record.status)
    # without a moment of its own an event is of when it came: a message that was submitted at the beginning of time is no
    # bill's, and overdue at once
    at_us = _moment(record.occurred_us) or record.received_us
    row = NOTHING | place_row(place)
    row |= {
        "rank": rank,
        "status_us": at_us,
        "error_code": record.error_code,
        "error_text": record.error_text or None,
        "carrier_id": record.carrier_id,
        "submitted_us": at_us,
    }
    if record.sender:
        row |= {"sender": record.sender, "sender_attempt": 0}
    if rank >= FINAL:
        row["completed_us"] = _moment(record.completed_us) or at_us
    cost_rank = _COST_RANKS.get(record.event_type, COST_RANK_ANSWER)
    return row | _carrier_facts(record, cost_rank, at_us, record.encoding, record.parts)


def _carrier_facts(record: AttemptRecord | ReceiptRecord, cost_rank: int, at_us: int, encoding: str, parts: int) -> Row:
    row: Row = {}
    if parts > 0:
        row |= {"parts_us": at_us, "carrier_parts": parts, "carrier_encoding": encoding}
    if record.cost_micros >= 0:
        row |= {
            "cost_rank": cost_rank,
            "cost_us": at_us,
            "cost_micros": record.cost_micros,
            "rate_micros": _known(record.rate_micros),
            "fee_micros": _known(record.fee_micros),
            "currency": record.currency,
        }
    return row
