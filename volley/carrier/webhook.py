"""Telnyx's webhook events as values. Signatures are checked before (`verify`, signature.py); this reads what they cover.

Delivery may be doubled and out of order: whoever applies events goes by `event_id`, `occurred_us` and rank, never by arrival.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from volley.carrier.events import Event, InboundMessage, Other, ReceiptEvent, SpendLimit
from volley.carrier.keywords import keyword
from volley.carrier.payload import NO_ERROR, encoding, errors, money, whole, word
from volley.carrier.reference import read, reference_in
from volley.carrier.signature import Forged, public_keys, verify
from volley.errors import VolleyError
from volley.message import MessageId

__all__ = [
    "Event",
    "Forged",
    "InboundMessage",
    "Other",
    "ReceiptEvent",
    "SpendLimit",
    "Unreadable",
    "parse",
    "public_keys",
    "verify",
]

OUTBOUND = ("message.sent", "message.finalized")
INBOUND = "message.received"
SPEND_LIMIT = "messaging-profile.spend-limit-reached"
LINK_CLICKED = "link_clicked"

_LONGEST_TEXT = 10_000
_LONGEST_URL = 2_000
_MOST_MEDIA = 20
_OPTED_OUT_CODE = "40300"
_OPTED_OUT = re.compile(r"\bSTOP\b|\bopt(?:ed)?[ -]?out", re.IGNORECASE)
_MENDABLE = re.compile(
    rb"\\u(?:0000|[dD][89aAbB][\da-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89aAbB][\da-fA-F]{2}\\u)[dD][c-fC-F][\da-fA-F]{2})"
)
"""A NUL, which PostgreSQL cannot keep, and half an emoji, which is no UTF-8: people's phones write both."""


class Unreadable(VolleyError):
    """A body that is signed but is no event of API version 2. It is kept raw and looked at, not asked for again."""


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
    document = _document(raw)
    click = _mapping(_mapping(document).get("data"))
    if click.get("record_type") == LINK_CLICKED:
        return Other("", LINK_CLICKED, micros_of(click.get("time_clicked")))
    try:
        envelope = _Envelope.model_validate(document)
    except ValidationError:
        raise _unreadable() from None
    data = envelope.data
    if data.event_type in OUTBOUND:
        return _receipt(data, received_us, _message(envelope, secrets, query_reference))
    if data.event_type == INBOUND:
        return _inbound(data, received_us)
    if data.event_type == SPEND_LIMIT:
        return _spend_limit(data, received_us)
    return Other(data.id, data.event_type, micros_of(data.occurred_at))


def _document(raw: bytes) -> Any:
    try:
        return orjson.loads(_MENDABLE.sub(b"\\\\ufffd", raw))
    except orjson.JSONDecodeError:
        raise _unreadable() from None


def _unreadable() -> Unreadable:
    return Unreadable("a signed webhook is no event: set the profile's webhook_api_version to 2")


def micros_of(timestamp: Any) -> int:
    """ISO 8601 → µs since 1970; -1 for anything else, and for what was before. A time without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except (TypeError, ValueError):
        return -1
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return max((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, -1)


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
    found = errors(payload)
    error = next(iter(found), NO_ERROR)
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
        profile=word(payload.get("messaging_profile_id")),
        opted_out=bool(found) and _opted_out(payload),
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
        text=_text(payload)[:_LONGEST_TEXT],
        media=_media(payload),
        keyword=keyword(_text(payload), word(payload.get("autoresponse_type"))),
    )


def _spend_limit(data: _Data, received_us: int) -> SpendLimit:
    occurred_us = micros_of(data.occurred_at)
    return SpendLimit(
        event_id=data.id,
        occurred_us=occurred_us if occurred_us > 0 else received_us,
        profile=word(data.payload.get("profile_id")),
        limit=_figure(data.payload.get("configured_limit")),
        cost=_figure(data.payload.get("current_cost")),
    )


def _opted_out(payload: dict[str, Any]) -> bool:
    """A 40300 that comes with a receipt has several meanings, told apart by its words alone (Telnyx's SMS guides)."""
    said = [_mapping(error) for error in payload["errors"]]
    return any(_OPTED_OUT.search(f"{each.get('title')} {each.get('detail')}") for each in said if _is_block(each))


def _is_block(error: dict[str, Any]) -> bool:
    return str(error.get("code")) == _OPTED_OUT_CODE


def _text(payload: dict[str, Any]) -> str:
    text = payload.get("text")
    return text if isinstance(text, str) else ""


def _media(payload: dict[str, Any]) -> tuple[str, ...]:
    media = payload.get("media")
    urls = [word(_mapping(each).get("url"), _LONGEST_URL) for each in media] if isinstance(media, list) else []
    return tuple([url for url in urls if url][:_MOST_MEDIA])


def _figure(value: Any) -> str:
    return word(value, 32) if isinstance(value, str) else f"{value}"[:32] if isinstance(value, (int, float)) else ""


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
