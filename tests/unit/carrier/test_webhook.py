"""Webhook events as values, whatever shape the carrier gives them."""

from typing import Any

import orjson
import pytest

from volley.carrier.reference import secrets_of, sign, webhook_url
from volley.carrier.webhook import InboundMessage, Other, ReceiptEvent, SpendLimit, Unreadable, micros_of, parse

SECRETS = secrets_of("a secret of this house")
REFERENCE = sign("0123456789abcdef-3-17", SECRETS[0])
URL = webhook_url("https://sms.example.org", "default", REFERENCE)
RECEIVED = 1_767_225_600_000_000
PAYLOAD: dict[str, Any] = {
    "id": "834f3d53-8a3c-4aa0-a733-7f2d682a72df",
    "from": {"phone_number": "+13125550001"},
    "to": [{"phone_number": "+13125550101", "status": "delivered"}],
    "encoding": "GSM-7",
    "parts": 1,
    "cost": {"amount": "0.0051", "currency": "USD"},
    "cost_breakdown": {
        "rate": {"amount": "0.00205", "currency": "USD"},
        "carrier_fee": {"amount": "0.00305", "currency": "USD"},
    },
    "sent_at": "2026-01-01T00:00:01.250+00:00",
    "completed_at": "2026-01-01T00:00:02Z",
    "errors": [],
    "webhook_url": URL,
}


def event(kind: str = "message.finalized", meta: Any = None, **changes: Any) -> bytes:
    data = {
        "record_type": "event",
        "id": "event-1",
        "event_type": kind,
        "occurred_at": "2026-01-01T00:00:03.000Z",
        "payload": {name: value for name, value in (PAYLOAD | changes).items() if value != "absent"},
    }
    return orjson.dumps({"data": data, "meta": meta})


def receipt(raw: bytes, query_reference: str = "") -> ReceiptEvent:
    found = parse(raw, received_us=RECEIVED, secrets=SECRETS, query_reference=query_reference)
    assert isinstance(found, ReceiptEvent)
    return found


def test_a_receipt_holds_all_that_the_ledger_wants() -> None:
    assert receipt(event()) == ReceiptEvent(
        event_id="event-1",
        event_type="message.finalized",
        occurred_us=1_767_225_603_000_000,
        received_us=RECEIVED,
        campaign="0123456789abcdef",
        chunk=3,
        offset=17,
        carrier_id="834f3d53-8a3c-4aa0-a733-7f2d682a72df",
        status="delivered",
        sender="+13125550001",
        to="+13125550101",
        encoding="GSM-7",
        parts=1,
        cost_micros=5100,
        rate_micros=2050,
        fee_micros=3050,
        currency="USD",
        sent_us=1_767_225_601_250_000,
        completed_us=1_767_225_602_000_000,
        error_code="",
        error_text="",
        profile="",
        opted_out=False,
    )


def test_what_the_carrier_does_not_say_is_unknown() -> None:
    found = receipt(event("message.sent", cost=None, cost_breakdown=None, sent_at=None, completed_at="absent", to=[]))
    assert (found.cost_micros, found.rate_micros, found.fee_micros, found.currency) == (-1, -1, -1, "")
    assert (found.sent_us, found.completed_us, found.status, found.to) == (-1, -1, "", "")


@pytest.mark.parametrize("amount", ["0.0051", 0.0051])
def test_a_cost_may_be_a_number(amount: str | float) -> None:
    assert receipt(event(cost={"amount": amount, "currency": "USD"})).cost_micros == 5100


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"encoding": "UTF-16", "smart_encoding_applied": True}, ("UCS-2", 1)),
        ({"smart_encoding": {"final_encoding": "ucs2", "segment_count": 3}}, ("GSM-7", 1)),
        (
            {"encoding": "absent", "parts": "absent", "smart_encoding": {"final_encoding": "gsm7", "segment_count": 3}},
            ("GSM-7", 3),
        ),
        ({"encoding": None, "parts": None, "smart_encoding": True}, ("", -1)),
    ],
)
def test_both_shapes_of_smart_encoding_are_read(changes: dict[str, Any], expected: tuple[str, int]) -> None:
    found = receipt(event(**changes))
    assert (found.encoding, found.parts) == expected


def test_an_error_is_kept_by_code_and_title_alone() -> None:
    told = {"code": "40300", "title": "Blocked +13125550101", "detail": "to +13125550101: Good day"}
    found = receipt(event(errors=[told]))
    assert (found.error_code, found.error_text) == ("40300", "Blocked …")


def test_the_reference_may_come_in_meta() -> None:
    assert receipt(event(webhook_url="absent", meta={"delivered_to": URL})).offset == 17
    assert receipt(event(webhook_url="https://profile.example.org/hook", meta={"delivered_to": URL})).offset == 17


def test_a_reference_that_is_not_signed_over_cannot_replace_one_that_is() -> None:
    other = sign("0123456789abcdef-3-18", SECRETS[0])
    assert receipt(event(), query_reference=other).offset == 17
    assert receipt(event(webhook_url="https://profile.example.org/hook"), query_reference=other).campaign == ""
    assert receipt(event(webhook_url=""), query_reference=other).offset == 18


def test_a_reference_of_somebody_else_is_none() -> None:
    forged = sign("0123456789abcdef-3-17", secrets_of("another secret than ours")[0])
    found = receipt(event(webhook_url=webhook_url("https://sms.example.org", "default", forged)))
    assert (found.campaign, found.chunk, found.offset) == ("", -1, -1)


def test_an_inbound_text_is_an_inbound_text() -> None:
    raw = event("message.received", text="STOP", autoresponse_type="STOP", messaging_profile_id="profile-1")
    assert parse(raw, received_us=RECEIVED, secrets=SECRETS) == InboundMessage(
        event_id="event-1",
        occurred_us=1_767_225_603_000_000,
        received_us=RECEIVED,
        carrier_id="834f3d53-8a3c-4aa0-a733-7f2d682a72df",
        profile="profile-1",
        sender="+13125550001",
        to="+13125550101",
        text="STOP",
        media=(),
        keyword="stop",
    )


@pytest.mark.parametrize("kind", ["message.delivered", "rcs.read", "number-order.complete"])
def test_an_event_that_nothing_uses_is_another(kind: str) -> None:
    assert parse(event(kind), received_us=RECEIVED, secrets=SECRETS) == Other("event-1", kind, 1_767_225_603_000_000)


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"null", b"{}", b'{"data":{}}', b'{"data":{"id":7,"event_type":"message.sent"}}', b"sms_id=1&x=y"],
)
def test_a_body_that_is_no_event_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="webhook_api_version"):
        parse(raw, received_us=RECEIVED, secrets=SECRETS)


@pytest.mark.parametrize("payload", [None, [], "x", 7])
def test_an_event_with_an_odd_payload_is_still_an_event(payload: Any) -> None:
    raw = orjson.dumps({"data": {"id": "event-1", "event_type": "message.sent", "payload": payload}, "meta": [1]})
    assert receipt(raw).carrier_id == ""


@pytest.mark.parametrize(
    ("timestamp", "micros"),
    [
        ("0001-01-01T00:00:00Z", -1),
        ("1970-01-01T00:00:00Z", 0),
        ("2025-03-22T11:28:39.401+00:00", 1_742_642_919_401_000),
        ("2025-03-22T12:28:39.401+01:00", 1_742_642_919_401_000),
        ("2025-03-22T11:28:39.401", 1_742_642_919_401_000),
        ("2025-03-22T11:28:39.401999Z", 1_742_642_919_401_999),
        ("yesterday", -1),
        (None, -1),
        (7, -1),
    ],
)
def test_times_are_microseconds(timestamp: Any, micros: int) -> None:
    assert micros_of(timestamp) == micros


def inbound(**changes: Any) -> InboundMessage:
    found = parse(event("message.received", **changes), received_us=RECEIVED, secrets=SECRETS)
    assert isinstance(found, InboundMessage)
    return found


def test_the_media_of_an_inbound_message_are_kept_by_address() -> None:
    media = [{"url": "https://media.telnyx.com/a.jpg", "size": 7}, {"url": None}, "x", {"url": "x" * 3000}]
    assert inbound(media=media, text="").media == ("https://media.telnyx.com/a.jpg",)
    assert inbound(media="odd", text=None) == inbound(media=[], text="")


def test_a_very_long_text_is_cut_and_never_lost() -> None:
    assert inbound(text="x" * 20_000).text == "x" * 10_000


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (rb"a\u0000b", "a\ufffdb"),
        (rb"\ud83d\ude00 \uD83D\uDE00", "😀 😀"),
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\ude00 cut", "\ufffd cut"),
        (rb"\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        (rb"\u00e9\u4e00", "é一"),
    ],
)
def test_what_no_database_can_keep_costs_a_text_no_more_than_that(written: bytes, kept: str) -> None:
    found = parse(event("message.received", text="TEXT").replace(b"TEXT", written), received_us=1, secrets=[])
    assert isinstance(found, InboundMessage)
    assert found.text == kept


def test_a_reached_spend_limit_names_the_profile_and_its_figures() -> None:
    told = {"configured_limit": "25.00", "current_cost": 25.03, "profile_id": "profile-1"}
    raw = event("messaging-profile.spend-limit-reached", **told)
    assert parse(raw, received_us=RECEIVED, secrets=SECRETS) == SpendLimit(
        "event-1", 1_767_225_603_000_000, "profile-1", "25.00", "25.03"
    )


def test_a_click_on_a_shortened_link_is_another_event_though_it_has_no_envelope() -> None:
    data = {
        "record_type": "link_clicked",
        "message_id": "7ee4241c-f127-47e5-9c34-3aac291f8058",
        "to": "+13125550101",
        "url": "https://example.org",
        "time_clicked": "2026-01-01T00:00:03Z",
    }
    found = parse(orjson.dumps({"data": data}), received_us=RECEIVED, secrets=SECRETS)
    assert found == Other("", "link_clicked", 1_767_225_603_000_000)


@pytest.mark.parametrize(
    ("title", "detail", "expected"),
    [
        ("Blocked due to STOP message", "", True),
        ("Message blocked", "The recipient has opted out of this profile", True),
        ("Invalid destination", "no route", False),
        ("Stopped by the destination network", "nonstop", False),
    ],
)
def test_a_late_40300_is_judged_by_its_words(title: str, detail: str, expected: bool) -> None:
    told = [{"code": "40300", "title": title, "detail": detail}]
    assert receipt(event(errors=told)).opted_out is expected


def test_the_words_of_another_code_are_no_opt_out() -> None:
    assert receipt(event(errors=[{"code": "40002", "title": "Blocked due to STOP message"}])).opted_out is False
