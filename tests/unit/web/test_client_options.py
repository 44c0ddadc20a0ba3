"""What the client lets its user ask for is what the API takes, option by option: neither falls behind the other."""

from typing import Any

import pytest

from producer.client.asks import Changes, PushOptions, SendOptions, fields
from producer.web.openapi import describe
from producer.web.table import TABLE

_OF_THE_CALL = {"dry_run", "idempotency_key"}
"""Arguments of `push` and `send` themselves."""
_NEVER = {"again"}
"""Each push of the client has a key of its own."""
_MESSAGES = {"to", "text", "reference", "messages"}
"""What `send` gets as its first argument."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(TABLE)


def own(names: set[str]) -> set[str]:
    """In the client's words: `from` is a word of Python's."""
    return {"sender" if name == "from" else name for name in names}


def test_a_push_of_the_client_has_every_option_of_the_api(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/v1/campaigns"]["post"]["parameters"]
    asked = {each["name"] for each in parameters if each["in"] == "query"}
    assert {"profile", "quiet_hours", "callback_url"} < asked
    assert set(PushOptions.__annotations__) == own(asked) - _OF_THE_CALL - _NEVER
    assert fields({"callback_url": "https://example.com/told"}) == (("callback_url", "https://example.com/told"),)


def test_messages_of_the_client_have_every_option_of_the_api(document: dict[str, Any]) -> None:
    properties = document["components"]["schemas"]["Messages"]["properties"]
    assert {"profile", "from", "to"} < properties.keys()
    assert set(SendOptions.__annotations__) == own(set(properties) - _MESSAGES)


def test_a_change_of_the_client_has_every_term_of_the_api(document: dict[str, Any]) -> None:
    properties = document["components"]["schemas"]["Change"]["properties"]
    assert "expires" in properties
    assert set(Changes.__annotations__) == set(properties)
