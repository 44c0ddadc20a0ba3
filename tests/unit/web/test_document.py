"""The document says what a request without a field would be: of a change nothing, and a key lasts as long as its operation keeps it."""

from typing import Any

import pytest

from producer.web.openapi import describe
from producer.web.table import TABLE
from volley.state import STATUSES


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(TABLE)


def test_no_field_of_a_change_has_a_default_as_what_is_left_out_stays_as_it_is(document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["Change"]["properties"]
    assert {"priority", "rate", "budget"} < fields.keys()
    assert [name for name, field in fields.items() if "default" in field] == []


@pytest.mark.parametrize(("path", "kept"), [("/v1/campaigns", "30 days"), ("/v1/messages", "24 hours")])
def test_a_key_is_said_to_last_as_long_as_it_does(document: dict[str, Any], path: str, kept: str) -> None:
    [key] = [each for each in document["paths"][path]["post"]["parameters"] if each["name"] == "Idempotency-Key"]
    assert key["description"].endswith(kept)


def test_the_counts_of_a_campaign_name_every_status(document: dict[str, Any]) -> None:
    counts = document["components"]["schemas"]["Counts"]
    assert set(counts["properties"]) == set(counts["required"]) == set(STATUSES)
