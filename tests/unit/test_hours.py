"""Quiet hours: a moment is open exactly where no clock on any wall shows one of them, also when the clocks are changed."""

from datetime import UTC, datetime
from itertools import pairwise

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import timezone

from volley.errors import RowError, UnusableInput
from volley.hours import DAY_S, QuietHours, parse, sendable, union, windows, zone
from volley.zones import zones_of

MINUTES = st.integers(0, 1439)
HOURS = st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: QuietHours(*pair))
ZONES = st.lists(
    st.sampled_from(
        ["America/New_York", "America/Phoenix", "America/St_Johns", "Europe/Berlin", "Europe/London", "Asia/Kolkata",
         "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "America/Nuuk", "UTC"]
    ),
    min_size=1, max_size=4,
)  # fmt: skip
NIGHT = parse("21:00-08:00")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def quiet_on_a_wall(quiet: QuietHours, names: list[str], moment_s: int) -> bool:
    """By the definition, for one moment."""
    for name in names:
        local = datetime.fromtimestamp(moment_s, UTC).astimezone(zone(name))
        shown = (local.hour, local.minute)
        begins, ends = divmod(quiet.begins, 60), divmod(quiet.ends, 60)
        if begins <= shown < ends if begins < ends else shown >= begins or shown < ends:
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(
    HOURS,
    ZONES,
    st.integers(at("2026-01-01T00:00Z"), at("2029-01-01T00:00Z")),
    st.lists(st.integers(0, 8 * DAY_S), max_size=60),
)
@example(QuietHours(90, 150), ["America/New_York"], at("2026-03-07T00:00Z"), [*range(0, 3 * DAY_S, 600)])
@example(QuietHours(90, 150), ["America/New_York"], at("2026-10-31T00:00Z"), [*range(0, 3 * DAY_S, 600)])
@example(
    QuietHours(1260, 480), ["Europe/Berlin", "Europe/London"], at("2026-03-28T00:00Z"), [*range(0, 3 * DAY_S, 600)]
)
def test_a_moment_is_open_exactly_where_no_clock_shows_a_quiet_hour(
    quiet: QuietHours, names: list[str], since_s: int, looks: list[int]
) -> None:
    found = windows(quiet, names, since_s, since_s + 8 * DAY_S)
    edges = [edge + by for window in found for edge in window for by in (-1, 0)]
    for moment_s in [since_s + look for look in looks] + edges:
        if since_s <= moment_s < since_s + 8 * DAY_S:
            is_open = any(begin <= moment_s < end for begin, end in found)
            assert is_open is not quiet_on_a_wall(quiet, names, moment_s)
    assert all(end < begin for (_, end), (begin, _) in pairwise(found)), "in order, and apart"


def test_the_night_in_which_clocks_are_put_forward_is_an_hour_shorter() -> None:
    since = at("2026-03-07T18:00Z")
    first, second, *_ = windows(NIGHT, ["America/New_York"], since, since + 3 * DAY_S)
    assert first == (since, at("2026-03-07T21:00-05:00"))
    assert second[0] == at("2026-03-08T08:00-04:00")
    assert second[0] - first[1] == 10 * 3600


def test_who_may_be_in_several_zones_is_sent_to_when_it_is_day_in_all_of_them() -> None:
    since = at("2026-07-01T00:00Z")
    found = windows(NIGHT, ["America/New_York", "America/Los_Angeles"], since, since + 2 * DAY_S)
    assert found[1] == (at("2026-07-01T08:00-07:00"), at("2026-07-01T21:00-04:00"))


def test_zones_that_never_wake_together_have_no_window() -> None:
    assert windows(parse("19:00-10:00"), ["Pacific/Auckland", "Europe/London"], 0, 8 * DAY_S) == []


def test_what_is_granted_in_a_window_is_sent_before_the_hours_begin() -> None:
    assert sendable(NIGHT, ["UTC"], 8 * 3600, 22 * 3600) == [(8 * 3600, 21 * 3600 - 1)]


def test_hours_in_the_middle_of_the_day_are_possible() -> None:
    assert windows(parse("12:00-14:00"), ["UTC"], 0, DAY_S) == [(0, 12 * 3600), (14 * 3600, DAY_S)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "21-8", "21:00", "25:00-08:00", "21:60-08:00", "08:00-08:00", "00:00-24:00", "21:00-08:00 UTC"),
        *(" 21:00-08:00", "21:00-08:00 ", "21:00-08:00\n", "\u0662\u0661:00-08:00"),
    ],
)
def test_what_are_no_hours_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnusableInput, match="21:00-08:00"):
        parse(text)


@pytest.mark.parametrize(
    "name", ["", "Berlin", "../../etc/passwd", "/etc/localtime", "europe", " UTC", "\0", "localtime"]
)
def test_what_is_no_zone_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(RowError, match="America/New_York"):
        zone(name)


@pytest.mark.parametrize("number", [88213123456, 87812345678])
def test_a_number_of_no_zone_says_that_a_column_is_needed(number: int) -> None:
    with pytest.raises(RowError, match="column `zone`"):
        zones_of(number)


COUNTRIES = [1212, 1305, 1808, 1787, 4479, 4474, 4917, 7916, 614, 5511, 55929, 5255, 628, 7701, 3519, 3461, 2126]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(COUNTRIES), st.integers(0, 10**9 - 1))
def test_zones_are_those_that_libphonenumber_has_for_the_whole_number(head: int, rest: int) -> None:
    number = int(str(head) + f"{rest:09d}"[: (11 if str(head)[0] == "1" else 12) - len(str(head))])
    parsed = phonenumbers.parse(f"+{number}")
    if phonenumbers.is_valid_number(parsed):
        expected = tuple(timezone.time_zones_for_number(parsed))
        assert zones_of(number) == expected


def test_a_union_is_open_where_one_of_them_is() -> None:
    assert union([[(0, 5), (20, 30)], [(3, 9)], [(9, 10)]]) == [(0, 10), (20, 30)]
