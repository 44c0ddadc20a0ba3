"""Each code of the reference has its row, and each row does what this table says."""

import math

import pytest

from volley.carrier.codes import policy, rows

EXPECTED: dict[str, str] = {
    "retry": "10011 40004 40006 40008 40011 40014 40016 40018 40318 40333",
    "other_sender": "10001 10010 10038 10039 40013 40100 40305 40306 40307 40308 40315 40320 40325 40326 40329 40330",
    "stop_sender": "40003 40010 40019 40020 40321",
    "stop_profile": "10005 10006 40311 40312 40313 40327 40331",
    "stop_account": "10003 10009 20002 20006 20012 20013 20014 20016 20017 20100 40314",
    "opted_out": "40300",
    "perhaps": "10007 10008 10012 10036 10037",
    "never": "10002 10004 10015 10016 10023 10025 10026 10027 10032 10033 40001 40002 40005 40007 40009 40012 40015"
    " 40017 40150 40151 40152 40153 40154 40155 40156 40157 40158 40159 40301 40302 40303 40304 40309 40310"
    " 40316 40317 40319 40322 40328",
}
CASES = [(code, action) for action, codes in EXPECTED.items() for code in codes.split()]
NOON = 1_700_000_000 - 1_700_000_000 % 86_400 + 43_200


@pytest.mark.parametrize(("code", "action"), CASES)
def test_a_code_has_its_action_at_whatever_status_it_comes(code: str, action: str) -> None:
    for status in (0, 400, 403, 422, 429, 500):
        row = policy(code, status)
        assert (row.action, row.known, row.code) == (action, True, code)


def test_the_table_holds_these_codes_and_no_others() -> None:
    assert sorted(code for code, _ in CASES) == sorted(row.code for row in rows() if row.code.isdecimal())


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.code}-{row.status}")
def test_a_row_is_whole(row: object) -> None:
    assert isinstance(row, type(policy("10011", 429)))
    assert row.meaning
    assert len(row.meaning) < 100
    stops = row.action in ("stop_sender", "stop_profile", "stop_account") or row.throttle is not None
    assert not stops or row.stop_s(NOON) > 0, "a stop without a time stops nothing"
    assert row.throttle is None or row.action == "retry", "throttling never spends the retry budget"
    assert row.action not in ("never", "opted_out", "perhaps") or row.stops is None


@pytest.mark.parametrize(
    ("code", "scope", "seconds"),
    [
        ("10011", "account", 1),
        ("40318", "sender", 60),
        ("40333", "profile", 43_200 + 60),
        ("40011", "sender", 60),
        ("40016", "group", 20 * 3600 + 60),
        ("40018", "group", 60),
    ],
)
def test_throttles_name_their_scope_and_time(code: str, scope: str, seconds: float) -> None:
    row = policy(code, 429)
    assert (row.throttle, row.stops, row.stop_s(NOON)) == (scope, scope, seconds)


@pytest.mark.parametrize(
    ("code", "status", "scope", "seconds"),
    [
        ("10009", 401, "account", math.inf),
        ("20100", 402, "account", 300),
        ("40314", 403, "account", math.inf),
        ("40312", 400, "profile", math.inf),
        ("40321", 400, "sender", 300),
        ("40020", 0, "sender", 86_400),
        ("40305", 400, "sender", 3600),
        ("40320", 400, "sender", 600),
        ("40003", 0, "sender", math.inf),
        ("40308", 400, None, 0),
        ("40310", 400, None, 0),
    ],
)
def test_stops_have_their_scope_and_time(code: str, status: int, scope: str | None, seconds: float) -> None:
    row = policy(code, status)
    assert (row.stops, row.stop_s(NOON)) == (scope, seconds)


def test_a_spend_limit_hit_again_just_after_midnight_does_not_cost_the_day() -> None:
    midnight = NOON + 43_200
    assert policy("40333", 429).stop_s(midnight - 1) == 61
    assert policy("40333", 429).stop_s(midnight + 5) == 60


def test_a_day_at_t_mobile_ends_at_midnight_of_the_pacific() -> None:
    midnight = NOON - 4 * 3600
    assert policy("40016", 0).stop_s(midnight - 700) == 760
    assert policy("40016", 0).stop_s(midnight + 700) == 86_400 - 700 + 60


@pytest.mark.parametrize("status", [0, 400, 403, 404, 422])
def test_an_unknown_code_is_final_and_reported(status: int) -> None:
    row = policy("49999", status)
    assert (row.action, row.known, row.stops) == ("never", False, None)


@pytest.mark.parametrize(
    ("code", "status", "action", "throttle"),
    [
        ("", 401, "stop_account", None),
        ("49999", 401, "stop_account", None),
        ("", 402, "stop_account", None),
        ("", 429, "retry", "account"),
        ("49999", 429, "retry", "account"),
        ("", 400, "never", None),
        ("", 422, "never", None),
    ],
)
def test_without_a_known_code_the_status_decides(code: str, status: int, action: str, throttle: str | None) -> None:
    row = policy(code, status)
    assert (row.action, row.throttle) == (action, throttle)


@pytest.mark.parametrize("status", [403, 404, 405, 421, 451])
def test_an_answer_that_is_not_the_carriers_burns_no_message(status: int) -> None:
    row = policy("", status)
    assert (row.action, row.stop_s(NOON)) == ("stop_account", 60)
