"""A pool is as fast as the class that ends last with its share."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from volley.outbox.throughput import effective, seconds
from volley.sender import Sender, SenderType


def pool(long_codes: int, toll_free: int, slow: int = 100, fast: int = 20_000) -> list[Sender]:
    kinds: list[tuple[SenderType, int]] = [("long_code", slow)] * long_codes + [("toll_free", fast)] * toll_free
    return [Sender(str(n), kind, "p", rate_milli=rate) for n, (kind, rate) in enumerate(kinds)]


def test_without_weights_a_pool_makes_the_sum_of_its_rates() -> None:
    assert effective({"any": 1}, pool(20, 4)) == effective({}, pool(20, 4)) == 82


def test_half_of_the_people_at_a_slow_class_halve_nothing_but_wait_for_it() -> None:
    assert effective({"long_code": 1, "toll_free": 1}, pool(20, 4)) == 4
    assert effective({"long_code": 1, "toll_free": 40}, pool(20, 4)) == 82


def test_a_class_without_senders_never_ends() -> None:
    assert effective({"long_code": 1, "toll_free": 1}, pool(20, 0)) == 0
    assert seconds(10, 0) is None
    assert seconds(0, 0) == 0


def test_account_and_profile_are_never_outrun() -> None:
    assert effective({}, pool(20, 4), [Decimal(50), Decimal("0.5")]) == Decimal("0.5")


def test_classes_by_reach_and_area_are_as_fast_as_their_types() -> None:
    shares = {"any": 1, "any~CA+US": 5, "any~CA+US@415": 4, "kept": 0}
    assert effective(shares, pool(20, 4)) == 82
    weighted = {"long_code@212": 1, "long_code@415": 3, "toll_free~CA+US": 4}
    assert effective(weighted, pool(20, 4)) == effective({"long_code": 1, "toll_free": 1}, pool(20, 4))


def test_who_serves_only_what_names_it_makes_a_pool_no_faster() -> None:
    others = [
        Sender("1", "long_code", "p", rate_milli=9000, kept=True),
        Sender("ACME", "alphanumeric", "p", rate_milli=9000),
        Sender("pool:p", "carrier_pool", "p", rate_milli=9000),
    ]
    assert effective({"any": 1}, [*pool(20, 4), *others]) == 82
    assert effective({}, others[2:]) == 9, "a push that names it has its rate"


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 50), st.integers(1, 50))
def test_each_class_is_done_with_its_share_in_that_time_and_one_just_so(w1: int, w2: int, slow: int, fast: int) -> None:
    rate = float(effective({"long_code": w1, "toll_free": w2}, pool(slow, fast)))
    ends = [1000 * w / (w1 + w2) / made for w, made in ((w1, slow / 10), (w2, fast * 20))]
    assert abs(max(ends) - 1000 / rate) < 1e-6 * max(ends)
