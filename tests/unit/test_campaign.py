"""A campaign outlives the release that took it: what is stored of it stays readable."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volley.campaign import Campaign
from volley.errors import VolleyError

FULL = Campaign(
    "0123456789abcdef", "p", "Hi {name}", ("name",), sender="ACME", tags=("a",), fallback="+12015550100",
    media=("https://example.com/a.png",), subject="S", send_at_us=1, on_unknown="retry", rate_milli=1, start_us=2,
    quiet_hours="21:00-08:00", zones=("Europe/Berlin",), chunk_zones=(0,),
)  # fmt: skip
LATER = (
    "rate_milli",
    "start_us",
    "quiet_hours",
    "zones",
    "chunk_zones",
    "on_unknown",
    "tags",
    "fallback",
    "media",
    "subject",
    "send_at_us",
    "region",
    "unpriced",
    "opted_out",
    "smart_encoding",
)


def test_a_campaign_is_read_as_it_was_written() -> None:
    assert Campaign.from_json(FULL.to_json()) == FULL


@given(st.sets(st.sampled_from(LATER)))
def test_what_an_earlier_release_did_not_know_is_as_if_nobody_had_asked_for_it(unknown: set[str]) -> None:
    stored = orjson.loads(FULL.to_json())
    plain = Campaign(FULL.id, FULL.profile, FULL.template)
    found = Campaign.from_json(orjson.dumps({name: value for name, value in stored.items() if name not in unknown}))
    for name in LATER:
        assert getattr(found, name) == getattr(plain if name in unknown else FULL, name)


def test_a_campaign_that_asks_for_nothing_new_is_read_by_releases_that_know_nothing_new() -> None:
    plain = Campaign(FULL.id, FULL.profile, FULL.template)
    assert b"on_unknown" not in plain.to_json()
    assert Campaign.from_json(plain.to_json()).on_unknown == "hold"
    retried = Campaign(FULL.id, FULL.profile, FULL.template, on_unknown="retry")
    assert Campaign.from_json(retried.to_json()) == retried


def test_what_a_newer_release_asks_of_a_campaign_is_refused_by_name() -> None:
    newer = orjson.dumps(orjson.loads(FULL.to_json()) | {"moon": "full"})
    with pytest.raises(VolleyError, match=r"newer release \(moon\): update Volley"):
        Campaign.from_json(newer)
