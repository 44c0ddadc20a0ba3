"""The server's clock and ours: never early, and never so late that the carrier could be overrun."""

from hypothesis import given
from hypothesis import strategies as st

from volley.outbox.dispatch import CREDIT_US, HORIZON_US, LATE_US, NEAR, ROOM_US, SLACK_US, URGENT_HORIZON_US, reach
from worker.pacing import Away, Clock

NOW_US = 1_800_000_000_000_000
seconds = st.floats(0, 5)
delays = st.integers(0, URGENT_HORIZON_US)


def test_a_moment_is_counted_from_the_answer() -> None:
    clock = Clock(100.0, 100.01, NOW_US)
    assert clock.moment(NOW_US) == 100.01
    assert abs(clock.moment(NOW_US + 50_000) - 100.06) < 1e-9


@given(seconds, seconds, delays)
def test_nothing_goes_before_its_moment_nor_after_its_slot(there: float, back: float, delay_us: int) -> None:
    """The server looked at its clock at some time between asked and answered."""
    asked = 1000.0
    looked, answered = asked + there, asked + there + back
    clock = Clock(asked, answered, NOW_US)
    true_moment = looked + delay_us / 1e6
    assert clock.moment(NOW_US + delay_us) >= true_moment - 1e-9
    assert clock.deadline(NOW_US + delay_us) <= true_moment + LATE_US / 1e6 + 1e-9


def test_a_slow_answer_leaves_no_time_rather_than_too_much() -> None:
    clock = Clock(100.0, 101.0, NOW_US)
    assert clock.deadline(NOW_US + HORIZON_US) < clock.moment(NOW_US)


def test_a_slot_and_its_delay_together_stay_within_the_promise() -> None:
    assert CREDIT_US + LATE_US + ROOM_US == 300_000
    assert (HORIZON_US, URGENT_HORIZON_US) == (50_000, 250_000)


@given(st.integers(0, 10_000_000))
def test_however_far_redis_is_credit_and_lateness_stay_within_the_promise(away_us: int) -> None:
    how = reach(away_us)
    assert how.credit_us + how.late_us == SLACK_US == 300_000 - ROOM_US
    assert 0 <= how.credit_us <= CREDIT_US


@given(st.integers(0, 50_000))
def test_a_redis_nearby_is_asked_as_ever(away_us: int) -> None:
    assert reach(away_us) == NEAR == (HORIZON_US, URGENT_HORIZON_US, CREDIT_US, LATE_US)


@given(st.integers(0, 200_000))
def test_a_grant_of_a_redis_200_ms_away_has_time_left_when_it_comes(away_us: int) -> None:
    clock = Clock(1000.0, 1000.0 + away_us / 1e6, NOW_US, reach(away_us).late_us)
    assert clock.deadline(NOW_US) - clock.moment(NOW_US) >= 0.0599


@given(st.integers(50_000, 250_000))
def test_a_grant_reaches_as_far_as_the_next_answer(away_us: int) -> None:
    assert reach(away_us).horizon_us >= away_us


def test_how_far_redis_is_follows_what_takes_need() -> None:
    away = Away()
    for _ in range(30):
        away.saw(0.2)
    assert 0.19 < away.seconds <= 0.2
    away.saw(4.0)
    for _ in range(30):
        away.saw(0.002)
    assert away.seconds < 0.01


@given(st.floats(-10, 10))
def test_a_local_time_is_told_by_the_servers_clock(away: float) -> None:
    clock = Clock(100.0, 100.5, NOW_US)
    assert abs(clock.server_us(100.5 + away) - (NOW_US + away * 1e6)) <= 1
