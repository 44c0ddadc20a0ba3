"""Ranges in words, operators and order of the sandbox's detail records."""

from datetime import UTC, datetime

import pytest

from volley.sandbox.record_book import Line
from volley.sandbox.record_search import filters, find
from volley.sandbox.replies import Refusal

NOW = round(datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp() * 1e6)  # a Wednesday


def line(created_at: str, **rest: object) -> Line:
    return {"uuid": created_at, "created_at": f"{created_at}T00:00:00.000+00:00"} | rest


DAYS = ["2026-01-31", "2026-02-01", "2026-02-22", "2026-02-23", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]


def found(lines: list[Line], query: dict[str, str], order: str = "created_at") -> list[object]:
    picked = find(lines, filters(query, NOW), order, NOW)
    return [each["uuid"] for each in picked if isinstance(each, dict)]


@pytest.mark.parametrize(
    ("word", "days"),
    [
        ("today", DAYS[7:]),
        ("yesterday", DAYS[6:7]),
        ("tomorrow", []),
        ("this_week", DAYS[5:]),
        ("last_week", DAYS[3:5]),
        ("this_month", DAYS[4:]),
        ("last_month", DAYS[1:4]),
        ("next_week", []),
        ("next_month", []),
        ("last_2_days", DAYS[5:]),
        ("last_3_days", DAYS[4:]),
    ],
)
def test_a_range_in_words_holds_whole_days(word: str, days: list[str]) -> None:
    assert found([line(day) for day in DAYS], {"filter[date_range]": word}) == days


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"filter[cost][gte]": "0.5"}, ["b", "c"]),
        ({"filter[cost][gt]": "0.50"}, ["c"]),
        ({"filter[cost][lt]": "0.5"}, ["a"]),
        ({"filter[cost][lte]": "0.5"}, ["a", "b"]),
        ({"filter[cost]": "10.0"}, ["c"]),
        ({"filter[cld]": " 12025550100"}, ["a"]),
        ({"filter[cld][contains]": "555"}, ["a", "b"]),
        ({"filter[cld][starts_with]": "+1202", "filter[parts][gte]": "2"}, ["b"]),
        ({"filter[errors]": "40008"}, ["c"]),
        ({"filter[on_net]": "true"}, ["b"]),
    ],
)
def test_numbers_are_compared_as_numbers_and_words_as_words(query: dict[str, str], expected: list[str]) -> None:
    lines: list[Line] = [
        {"uuid": "a", "cost": "0.007", "cld": "+12025550100", "parts": 1, "errors": [], "on_net": False},
        {"uuid": "b", "cost": "0.5", "cld": "+12025550101", "parts": 2, "errors": [], "on_net": True},
        {"uuid": "c", "cost": "10", "cld": "+447700900123", "parts": 10, "errors": ["40008"], "on_net": False},
    ]
    assert found(lines, query, "uuid") == expected


def test_a_minus_turns_the_order_round() -> None:
    assert found([line(day) for day in DAYS], {}, "-created_at") == DAYS[::-1]


@pytest.mark.parametrize(
    "name", ["filter[mood]", "filter[cld][like]", "filter[date_range]", "filter[created_at][gte]", "filter[parts]"]
)
def test_what_no_record_has_is_refused(name: str) -> None:
    with pytest.raises(Refusal):
        filters({name: "once"}, NOW)
