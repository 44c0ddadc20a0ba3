"""The bytes of a POST, and settings that cannot work."""

import orjson
import pytest

from volley.carrier.telnyx import base, body, session_headers
from volley.errors import UnusableInput


def test_the_same_message_has_the_same_bytes() -> None:
    first, second = (body("+13125550101", "+13125550001", "Grüße 👋", "p", webhook_url="https://x/y") for _ in range(2))
    assert first == second


def test_a_body_holds_what_the_carrier_asks_for_and_nothing_else() -> None:
    assert orjson.loads(body("+13125550101", "ACME", "Hi", "p")) == {
        "from": "ACME",
        "to": "+13125550101",
        "text": "Hi",
        "messaging_profile_id": "p",
    }


def test_encoding_and_webhook_are_named_where_they_matter() -> None:
    sent = orjson.loads(body("+1", "ACME", "Hi", "p", webhook_url="https://x/y?ref=1", encoding="ucs2"))
    assert (sent["encoding"], sent["webhook_url"]) == ("ucs2", "https://x/y?ref=1")
    assert "encoding" not in orjson.loads(body("+1", "ACME", "Hi", "p", encoding="auto"))


@pytest.mark.parametrize("key", ["", "KEY\n", "KEY\r\nX: y", "KEY 2", "KEÝ", "\x00"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(UnusableInput, match="TELNYX_API_KEY") as caught:
        session_headers(key)
    assert "KEY2" not in str(caught.value).replace(" ", "").replace("TELNYX_API_KEY", "")


@pytest.mark.parametrize("url", ["", "api.telnyx.com", "ftp://x/v2", "http://", "http://[", "/v2"])
def test_a_base_url_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UnusableInput, match="TELNYX_BASE_URL"):
        base(url)


def test_a_slash_at_the_end_of_the_base_url_changes_nothing() -> None:
    assert base("http://localhost:8100/v2/") / "messages" == base("http://localhost:8100/v2") / "messages"
