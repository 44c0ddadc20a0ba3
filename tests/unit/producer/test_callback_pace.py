"""A delivery is tried for a day, ever more rarely."""

from hypothesis import given
from hypothesis import strategies as st

from producer.callbacks.pace import DISABLED_AFTER_US, wait_s, why_disabled


@given(st.integers(1, 1000), st.floats(0, 1))
def test_waits_grow_to_an_hour_and_differ_by_a_quarter(attempts: int, chance: float) -> None:
    middle = min(5 * 3 ** (attempts - 1), 3600)
    assert 0.75 * middle <= wait_s(attempts, chance) <= 1.25 * middle


def test_a_receiver_that_is_gone_or_silent_for_days_is_switched_off() -> None:
    assert "410" in why_disabled(410, 5, 5)
    assert why_disabled(500, 5, 4 + DISABLED_AFTER_US) == ""
    assert "five days" in why_disabled(500, 5, 5 + DISABLED_AFTER_US)
