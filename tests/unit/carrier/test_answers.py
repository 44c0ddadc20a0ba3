"""From status, headers and body to an outcome."""

from typing import Any

import orjson
import pytest

from volley.carrier import payload
from volley.carrier.answers import accepted, refused
from volley.carrier.outcome import Accepted, PerhapsSent, Refused, Throttled

NOW = 1_700_000_000.0
MESSAGE: dict[str, Any] = {
    "id": "b0c7e8cb-6227-4c74-9f32-c7f80c30934b",
    "from": {"phone_number": "+13125550001", "carrier": "Telnyx", "line_type": "Wireless"},
    "to": [{"phone_number": "+13125550101", "status": "queued"}],
    "encoding": "GSM-7",
    "parts": 2,
    "cost": {"amount": "0.0140", "currency": "USD"},
    "cost_breakdown": {
        "rate": {"amount": "0.00400", "currency": "USD"},
        "carrier_fee": {"amount": "0.01000", "currency": "USD"},
    },
    "wait_seconds": 1.5,
}


def read(**changes: Any) -> Accepted:
    return accepted(orjson.dumps({"data": MESSAGE | changes}))


def errors(code: Any, title: str = "Title", **more: Any) -> bytes:
    return orjson.dumps({"errors": [{"code": code, "title": title, **more}]})


def test_an_acceptance_is_read_from_inside_data() -> None:
    assert read() == Accepted(MESSAGE["id"], "GSM-7", 2, 14_000, 4_000, 10_000, "USD", 1.5, "+13125550001")


@pytest.mark.parametrize(
    ("cost", "micros", "currency"),
    [
        (None, None, ""),
        ({"amount": 0.0051, "currency": "USD"}, 5100, "USD"),
        ({"amount": 1e-05, "currency": "EUR"}, 10, "EUR"),
        ({"amount": "0.0", "currency": "USD"}, 0, "USD"),
        ({"amount": 1, "currency": "USD"}, 1_000_000, "USD"),
        ({"amount": "free", "currency": "USD"}, None, "USD"),
        ({"amount": "1e999999999", "currency": "USD"}, None, "USD"),
        ({"amount": "NaN", "currency": 7}, None, ""),
        ({"amount": "Infinity"}, None, ""),
        ({"amount": []}, None, ""),
        ("0.0051", None, ""),
    ],
)
def test_a_cost_may_be_a_string_a_number_or_missing_and_nonsense_is_unknown(
    cost: Any, micros: int | None, currency: str
) -> None:
    answer = read(cost=cost)
    assert (answer.cost_micros, answer.currency) == (micros, currency)


@pytest.mark.parametrize("word", ["UTF-16", "UCS-2", "ucs2"])
def test_utf_16_is_ucs_2(word: str) -> None:
    assert read(encoding=word).encoding == "UCS-2"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 7},
        {"id": "x" * 500},
        {"from": None},
        {"from": []},
        {"parts": "two"},
        {"parts": True},
        {"parts": -1},
        {"encoding": None},
        {"wait_seconds": "long"},
        {"wait_seconds": -3},
        {"wait_seconds": None},
        {"cost_breakdown": "x"},
        {"cost_breakdown": {"rate": None}},
    ],
)
def test_a_field_of_a_wrong_shape_is_unknown_and_the_rest_is_kept(changes: dict[str, Any]) -> None:
    answer = read(**changes)
    assert answer.cost_micros == 14_000
    assert isinstance(answer, Accepted)
    assert answer != read()


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[]", b"{}", b'{"data":null}', b'{"data":[]}', b'"x"', b'{"data":{"i']
)
def test_an_unreadable_acceptance_is_still_one(raw: bytes) -> None:
    assert accepted(raw) == Accepted()


@pytest.mark.parametrize("status", [301, 302, 307, 101, 304, 408, 409, 500, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("code", ["10011", "40310", "40300", "10009", ""])
def test_a_status_that_proves_nothing_is_perhaps_sent_whatever_its_code(status: int, code: str) -> None:
    outcome = refused(status, {"retry-after": "3"}, errors(code), NOW)
    assert isinstance(outcome, PerhapsSent)
    assert outcome.status == status


@pytest.mark.parametrize("code", ["10007", "10008", "10012", "10036", "10037"])
def test_a_code_that_proves_nothing_is_perhaps_sent_whatever_its_status(code: str) -> None:
    assert isinstance(refused(422, {}, errors(code), NOW), PerhapsSent)


def test_a_refusal_about_the_key_is_about_an_earlier_post() -> None:
    told = errors("10027", detail="The Idempotency-Key was used with another body")
    assert isinstance(refused(422, {}, told, NOW), PerhapsSent)
    assert isinstance(refused(422, {}, errors("10027"), NOW), Refused)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, 1.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.1),
        ({"retry-after": "-4"}, 0.1),
        ({"retry-after": "soon"}, 1.0),
        ({"retry-after": "nan"}, 1.0),
        ({"retry-after": "99999999"}, 3600.0),
        ({"retry-after": "inf"}, 3600.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"x-ratelimit-reset": "5"}, 5.0),
        ({"x-ratelimit-reset": str(int(NOW) + 12)}, 12.0),
        ({"x-ratelimit-reset": str(int(NOW) - 12)}, 0.1),
        ({"retry-after": "2", "x-ratelimit-reset": "50"}, 2.0),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(headers: dict[str, str], wait_s: float) -> None:
    outcome = refused(429, headers, errors("10011"), NOW)
    assert isinstance(outcome, Throttled)
    assert (outcome.scope, outcome.wait_s) == ("account", wait_s)


@pytest.mark.parametrize("status", [400, 429])
def test_a_spend_limit_rests_the_profile_until_the_day_is_over(status: int) -> None:
    outcome = refused(status, {"retry-after": "1"}, errors("40333"), NOW)
    assert isinstance(outcome, Throttled)
    assert (outcome.scope, outcome.wait_s) == ("profile", 86_400 - NOW % 86_400 + 60)


def test_a_full_queue_rests_the_sender_at_any_status() -> None:
    for status in (400, 403, 429):
        outcome = refused(status, {}, errors("40318"), NOW)
        assert isinstance(outcome, Throttled)
        assert (outcome.scope, outcome.wait_s) == ("sender", 60)


def test_the_error_that_the_table_knows_speaks_for_all() -> None:
    raw = orjson.dumps({"errors": [7, {"title": "?"}, {"code": "99999", "title": "A"}, {"code": 40310, "title": "B"}]})
    assert refused(400, {}, raw, NOW) == Refused(400, "40310", "B: not a valid recipient")


@pytest.mark.parametrize("number", ["+13125550101", "1 (312) 555-0101", "312-555-0101", "40310999"])
def test_no_phone_number_and_no_detail_is_recorded(number: str) -> None:
    raw = errors("40310", f"Invalid 'to' {number} given", detail=f"secret text to {number}")
    outcome = refused(400, {}, raw, NOW)
    assert isinstance(outcome, Refused)
    assert outcome.text == "Invalid 'to' … given: not a valid recipient"


@pytest.mark.parametrize(
    "raw", [b"", b"<html>502</html>", b"[]", b'{"errors":{}}', b'{"errors":[]}', b'{"errors":["x"]}']
)
def test_a_refusal_without_a_readable_body_has_no_code(raw: bytes) -> None:
    outcome = refused(400, {}, raw, NOW)
    assert outcome == Refused(400, "", "refused without a code")


def test_no_nul_of_the_carriers_reaches_the_ledger() -> None:
    """PostgreSQL keeps none, and would refuse all that was recorded with it."""
    cost = {"amount": "0.0140", "currency": "U\0D"}
    taken = read(id="an\0id", encoding="odd\0", cost=cost, **{"from": {"phone_number": "+1\0"}})
    outcome = refused(400, {}, orjson.dumps({"errors": [{"code": "4\0", "title": "Wrong\0"}]}), NOW)
    assert isinstance(outcome, Refused)
    assert not any("\0" in str(value) for value in (*taken, outcome.code, outcome.text))
    assert (taken.carrier_id, taken.encoding, taken.currency) == (None, "odd", "UD")


def test_an_error_that_stands_alone_is_read_as_one_in_a_list_is() -> None:
    alone = {"code": "40303", "title": "Message not found"}
    assert payload.errors(alone) == payload.errors({"errors": [alone]})
    assert payload.errors({"data": alone}) == payload.errors({"code": "1"}) == payload.errors({"errors": None}) == []
