"""The server's clock and ours: never early, and never so late that the carrier could be overrun."""

from hypothesis import given
from hypothesis import strategies as st

from volley.outbox.dispatch import CREDIT_US, HORIZON_US, LATE_US, URGENT_HORIZON_US
from worker.pacing import Clock

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
    assert CREDIT_US + LATE_US == 300_000
    assert (HORIZON_US, URGENT_HORIZON_US) == (50_000, 250_000)


@given(st.floats(-10, 10))
def test_a_local_time_is_told_by_the_servers_clock(away: float) -> None:
    clock = Clock(100.0, 100.5, NOW_US)
    assert abs(clock.server_us(100.5 + away) - (NOW_US + away * 1e6)) <= 1
