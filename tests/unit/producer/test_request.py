"""Requests that contradict themselves, and what a result says."""

from datetime import datetime
from typing import Any

import pytest

from producer.push.request import PushRequest, PushResult
from volley.errors import UnusableInput


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "not both"),
        ({"text": "a", "template": "b"}, "not both"),
        ({"text": "a", "profile": " "}, "no profile"),
        ({"text": "a", "again": True, "idempotency_key": "k"}, "only one"),
        ({"text": "a", "priority": "high"}, "urgent, bulk"),
        ({"text": "a", "encoding": "utf8"}, "auto"),
        ({"text": "a", "region": "XX"}, "region"),
        ({"text": "a", "weight": 0}, "weight"),
        ({"text": "a", "idempotency_key": ""}, "idempotency key"),
        ({"text": "a", "expires": datetime(2030, 1, 1)}, "time zone"),  # noqa: DTZ001  the mistake is the point
        ({"text": "\udcff"}, "UTF-8"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_one_line(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UnusableInput, match=says) as caught:
        PushRequest(**({"profile": "p"} | fields))
    assert "\n" not in str(caught.value)


def test_a_result_prints_these_seven_things_and_the_four_counts_are_the_rows() -> None:
    result = PushResult("c", accepted=4, rejected=3, duplicates=2, opted_out=1, parts=9, estimated_micros=73_800)
    assert result.as_json() == {
        "campaign_id": "c",
        "accepted": 4,
        "rejected": 3,
        "duplicates": 2,
        "opted_out": 1,
        "parts": 9,
        "estimated_cost": {"amount": "0.0738", "currency": "USD"},
    }
    assert result.rows == 10
