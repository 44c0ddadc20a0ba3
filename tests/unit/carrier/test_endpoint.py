"""Which endpoint a message takes, and that its body holds what that endpoint's schema has and nothing else."""

from itertools import product
from typing import Any, get_args

import orjson
import pytest

from tests.openapi import needs_reference, validate_request
from volley.campaign import Campaign, Encoding
from volley.carrier.endpoint import ENDPOINTS, Endpoint, Endpoints, form
from volley.carrier.telnyx import written
from volley.sender import SenderType, carrier_pool

PROFILE = "40017b3d-0000-4000-8000-000000000001"
URL = "https://sms.example.com/webhooks/telnyx/default?ref=x"
KINDS = get_args(SenderType)
SENDERS: dict[SenderType, str] = {
    "long_code": "+13125550100",
    "toll_free": "+18005550100",
    "short_code": "12345",
    "alphanumeric": "ACME",
    "carrier_pool": carrier_pool(PROFILE),
}
LATER = 1_900_000_000_123_456


def campaign(**fields: Any) -> Campaign:
    return Campaign("c" * 16, PROFILE, "Hi", **fields)


def taken(kind: SenderType, *, endpoints: Endpoints = "general", mms: bool = False, **fields: Any) -> Endpoint:
    return form(campaign(**fields), SENDERS[kind], kind, mms=mms, endpoints=endpoints).endpoint


@pytest.mark.parametrize(
    ("kind", "general", "typed"),
    [
        ("long_code", "messages", "messages/long_code"),
        ("short_code", "messages", "messages/short_code"),
        ("toll_free", "messages", "messages"),
        ("alphanumeric", "messages/alphanumeric_sender_id", "messages/alphanumeric_sender_id"),
        ("carrier_pool", "messages/number_pool", "messages/number_pool"),
    ],
)
def test_a_senders_type_has_its_endpoint(kind: SenderType, general: str, typed: str) -> None:
    assert (taken(kind), taken(kind, endpoints="typed")) == (general, typed)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_scheduled_goes_by_the_endpoint_for_that(kind: SenderType) -> None:
    assert taken(kind, send_at_us=LATER, endpoints="typed") == "messages/schedule"


@pytest.mark.parametrize("endpoints", get_args(Endpoints))
def test_an_encoding_is_never_dropped_for_the_sake_of_an_endpoint(endpoints: Endpoints) -> None:
    for kind, encoding, at in product(KINDS, ("gsm7", "ucs2"), (0, LATER)):
        found = form(campaign(encoding=encoding, send_at_us=at), SENDERS[kind], kind, mms=False, endpoints=endpoints)
        assert found.fields["encoding"] == encoding
    assert taken("alphanumeric", encoding="gsm7") == "messages"
    assert taken("long_code", encoding="ucs2", send_at_us=LATER) == "messages"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("endpoints", get_args(Endpoints))
def test_every_body_is_one_that_telnyxs_schema_knows(kind: SenderType, endpoints: Endpoints) -> None:
    needs_reference()
    media = {"media": ("https://example.com/a.jpg",), "subject": "A"}
    contents: list[dict[str, Any]] = [{}] if kind == "alphanumeric" else [{}, media]
    for content, encoding, at in product(contents, get_args(Encoding), (0, LATER)):
        fields = content | {"encoding": encoding, "send_at_us": at}
        found = form(campaign(**fields), SENDERS[kind], kind, mms=bool(content), endpoints=endpoints)
        body = written(found.fields.copy(), "+13125550123", "" if content else "Hi", URL, URL)
        validate_request("POST", f"/{found.endpoint}", orjson.loads(body))


def test_an_mms_has_its_media_and_no_encoding_and_perhaps_no_text() -> None:
    media = ("https://example.com/a.jpg", "https://example.com/b.jpg")
    found = form(campaign(media=media, encoding="ucs2", subject="S"), "+13125550100", "long_code", mms=True)
    assert orjson.loads(written(found.fields.copy(), "+13125550123", "", None)) == {
        "from": "+13125550100",
        "messaging_profile_id": PROFILE,
        "media_urls": list(media),
        "subject": "S",
        "to": "+13125550123",
    }


def test_the_carriers_pool_is_asked_without_a_sender_and_a_moment_is_whole_seconds_in_utc() -> None:
    found = form(campaign(send_at_us=LATER), carrier_pool(PROFILE), "carrier_pool", mms=False)
    assert found.fields == {"messaging_profile_id": PROFILE, "send_at": "2030-03-17T17:46:40Z"}


def test_all_endpoints_are_listed_as_a_carrier_holds_an_address_for_each() -> None:
    assert set(ENDPOINTS) == set(get_args(Endpoint))
