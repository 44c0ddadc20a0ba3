"""Telnyx's webhook events as values. Signatures are checked before (`verify`, signature.py); this reads what they cover.

Delivery may be doubled and out of order: whoever applies events goes by `event_id` and by rank, never by arrival.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from volley.carrier.payload import NO_ERROR, encoding, errors, money, whole, word
from volley.carrier.reference import read, reference_in
from volley.carrier.signature import Forged, public_keys, verify
from volley.errors import VolleyError
from volley.message import MessageId

__all__ = ["Event", "Forged", "InboundMessage", "Other", "ReceiptEvent", "Unreadable", "parse", "public_keys", "verify"]

OUTBOUND = ("message.sent", "message.finalized")


class Unreadable(VolleyError):
    """A body that is signed but is no event. It is to be kept raw and looked at, not asked for again."""


@dataclass(frozen=True, slots=True)
class ReceiptEvent:
    """What the carrier says about an outbound message. Fields as outbox.events.ReceiptRecord; -1 or "" where it is silent.

    `campaign` is "" where no reference of ours came with it.
    """

    event_id: str
    event_type: str
    occurred_us: int
    received_us: int
    campaign: str
    chunk: int
    offset: int
    carrier_id: str
    status: str
    sender: str
    to: str
    encoding: str
    parts: int
    cost_micros: int
    rate_micros: int
    fee_micros: int
    currency: str
    sent_us: int
    completed_us: int
    error_code: str
    error_text: str


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A text that somebody sent to one of our numbers. `autoresponse` is the carrier's word for it (STOP, START …) or ""."""

    event_id: str
    occurred_us: int
    received_us: int
    carrier_id: str
    profile: str
    sender: str
    to: str
    text: str
    autoresponse: str


@dataclass(frozen=True, slots=True)
class Other:
    """An event of a type that nothing here uses."""

    event_id: str
    event_type: str
    occurred_us: int


Event = ReceiptEvent | InboundMessage | Other


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


_Mapping = Annotated[dict[str, Any], BeforeValidator(_mapping)]


class _Data(BaseModel):
    id: str = Field(min_length=1, max_length=128)
    event_type: str = Field(min_length=1, max_length=128)
    occurred_at: str = ""
    payload: _Mapping = Field(default_factory=dict)


class _Envelope(BaseModel):
    data: _Data
    meta: _Mapping = Field(default_factory=dict)


def parse(raw: bytes, *, received_us: int, secrets: Sequence[bytes], query_reference: str = "") -> Event:
    """One event. The reference is taken from what the signature covers; `query_reference`, which it does not cover,
    only where the body echoes no URL at all.

    Raises:
        Unreadable: not an event of Telnyx's API version 2.
    """
    try:
        envelope = _Envelope.model_validate(orjson.loads(raw))
    except (orjson.JSONDecodeError, ValidationError):
        raise Unreadable("a signed webhook is no event: set the profile's webhook_api_version to 2") from None
    data = envelope.data
    if data.event_type in OUTBOUND:
        message = _message(envelope, secrets, query_reference)
        return _receipt(data, received_us, message)
    if data.event_type == "message.received":
        return _inbound(data, received_us)
    return Other(data.id, data.event_type, micros_of(data.occurred_at))


def micros_of(timestamp: Any) -> int:
    """ISO 8601 → µs since 1970; -1 for anything else. A time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except (TypeError, ValueError):
        return -1
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _message(envelope: _Envelope, secrets: Sequence[bytes], query_reference: str) -> MessageId | None:
    echoed = [envelope.data.payload.get("webhook_url"), envelope.meta.get("delivered_to")]
    urls = [url for url in echoed if isinstance(url, str) and url]
    references = [reference_in(url) for url in urls] if urls else [query_reference]
    return next(filter(None, (read(reference, secrets) for reference in references if reference)), None)


def _receipt(data: _Data, received_us: int, message: MessageId | None) -> ReceiptEvent:
    payload = data.payload
    recipient = _recipient(payload)
    cost, rate, fee, currency = money(payload)
    spelling, parts = _counted(payload)
    error = next(iter(errors(payload)), NO_ERROR)
    campaign, chunk, offset = message or ("", -1, -1)
    return ReceiptEvent(
        event_id=data.id,
        event_type=data.event_type,
        occurred_us=micros_of(data.occurred_at),
        received_us=received_us,
        campaign=campaign,
        chunk=chunk,
        offset=offset,
        carrier_id=word(payload.get("id")),
        status=word(recipient.get("status")),
        sender=word(_mapping(payload.get("from")).get("phone_number")),
        to=word(recipient.get("phone_number")),
        encoding=spelling,
        parts=parts,
        cost_micros=_known(cost),
        rate_micros=_known(rate),
        fee_micros=_known(fee),
        currency=currency,
        sent_us=micros_of(payload.get("sent_at")),
        completed_us=micros_of(payload.get("completed_at")),
        error_code=error.code,
        error_text=error.title,
    )


def _inbound(data: _Data, received_us: int) -> InboundMessage:
    payload = data.payload
    return InboundMessage(
        event_id=data.id,
        occurred_us=micros_of(data.occurred_at),
        received_us=received_us,
        carrier_id=word(payload.get("id")),
        profile=word(payload.get("messaging_profile_id")),
        sender=word(_mapping(payload.get("from")).get("phone_number")),
        to=word(_recipient(payload).get("phone_number")),
        text=word(payload.get("text"), 10_000),
        autoresponse=word(payload.get("autoresponse_type")),
    )


def _recipient(payload: dict[str, Any]) -> dict[str, Any]:
    to = payload.get("to")
    return _mapping(to[0]) if isinstance(to, list) and to else {}


def _counted(payload: dict[str, Any]) -> tuple[str, int]:
    """Encoding and parts; from the `smart_encoding` object, which one page of Telnyx describes, where the usual fields are missing."""
    smart = _mapping(payload.get("smart_encoding"))
    spelling = encoding(payload.get("encoding")) or encoding(smart.get("final_encoding"))
    return spelling, whole(payload.get("parts")) or whole(smart.get("segment_count")) or -1


def _known(value: int | None) -> int:
    return -1 if value is None else value
