"""Which send endpoint a message takes, and the fields that all messages of one campaign and sender share. Pure.

A record of an Idempotency-Key includes the path, so nothing that may differ between two tries of a message decides here:
only its campaign, its sender, whether it is an MMS, and a setting. Fields: OpenAPI Create*MessageRequest (2026-07-16).
"""

from datetime import UTC, datetime
from typing import Literal, NamedTuple

from volley.campaign import Campaign
from volley.sender import SenderType

Endpoint = Literal[
    "messages",
    "messages/alphanumeric_sender_id",
    "messages/long_code",
    "messages/number_pool",
    "messages/schedule",
    "messages/short_code",
]
Endpoints = Literal["general", "typed"]

GENERAL: Endpoint = "messages"
ENDPOINTS: tuple[Endpoint, ...] = (
    GENERAL,
    "messages/alphanumeric_sender_id",
    "messages/long_code",
    "messages/number_pool",
    "messages/schedule",
    "messages/short_code",
)
_TYPED: dict[SenderType, Endpoint] = {"long_code": "messages/long_code", "short_code": "messages/short_code"}
_WITHOUT_PROFILE = frozenset(_TYPED.values())


class Form(NamedTuple):
    """A POST without its person: the endpoint, and the fields beside `to`, `text` and the webhook addresses."""

    endpoint: Endpoint
    fields: dict[str, object]


def form(campaign: Campaign, sender: str, kind: SenderType, *, mms: bool, endpoints: Endpoints = "general") -> Form:
    """What all messages of a campaign by one sender have in common. `sender` is ignored where the carrier chooses one."""
    encoding = "auto" if mms else campaign.encoding
    endpoint = _endpoint(kind, encoding, scheduled=campaign.send_at_us > 0, endpoints=endpoints)
    fields: dict[str, object] = {} if kind == "carrier_pool" else {"from": sender}
    if endpoint not in _WITHOUT_PROFILE:
        fields["messaging_profile_id"] = campaign.profile
    if encoding != "auto":
        fields["encoding"] = encoding
    if mms:
        fields["media_urls"] = list(campaign.media)
        if campaign.subject:
            fields["subject"] = campaign.subject
    if campaign.send_at_us:
        fields["send_at"] = _moment(campaign.send_at_us)
    return Form(endpoint, fields)


def _endpoint(kind: SenderType, encoding: str, *, scheduled: bool, endpoints: Endpoints) -> Endpoint:
    if scheduled:
        # neither this endpoint nor that of alphanumeric IDs has a field for the encoding
        return "messages/schedule" if encoding == "auto" else GENERAL
    if kind == "carrier_pool":
        return "messages/number_pool"
    if kind == "alphanumeric":
        return "messages/alphanumeric_sender_id" if encoding == "auto" else GENERAL
    return _TYPED.get(kind, GENERAL) if endpoints == "typed" else GENERAL


def _moment(us: int) -> str:
    """Whole seconds: the carrier's own accuracy is a minute."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
