"""A bench may be wrong as any program may: what it computes from the carrier's log is tested apart from the carrier."""

import pytest

from bench import figures
from bench.fairness import campaign_sizes
from bench.table import Figure, shown

SECOND = 1_000_000


def test_speed_counts_the_gaps_between_messages_and_not_the_messages() -> None:
    assert figures.span_rate([0, SECOND, 2 * SECOND]) == 1.0
    assert figures.span_rate([7]) == 0.0
    assert figures.span_rate([]) == 0.0


def test_speed_needs_no_order() -> None:
    assert figures.span_rate([2 * SECOND, 0, SECOND]) == 1.0


@pytest.mark.parametrize(("share", "expected"), [(0.99, 99), (1.0, 100), (0.5, 50), (0.001, 1), (0.0, 1)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, expected: int) -> None:
    assert figures.percentile(range(100, 0, -1), share) == expected


def test_one_late_message_in_fifty_is_in_the_99th_percentile() -> None:
    assert figures.percentile([1.0] * 49 + [900.0], 0.99) == 900.0


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        figures.percentile([], 0.5)


def test_the_worst_bucket_is_found_among_many_that_keep_their_rate() -> None:
    steady = ([n * SECOND for n in range(20)], [1] * 20)
    burst = ([n * SECOND for n in range(20)] + [19 * SECOND] * 8, [1] * 28)
    worst = figures.worst_excess({"a": steady, "b": burst}, {"a": 1.0, "b": 1.0})
    assert worst.bucket == "b"


def test_twice_the_rate_breaks_the_promise_and_the_rate_itself_keeps_it() -> None:
    steady = ([n * SECOND for n in range(70)], [1] * 70)
    assert figures.worst_excess({"a": steady}, {"a": 1.0}).excess.kept
    assert not figures.worst_excess({"a": steady}, {"a": 0.5}).excess.kept


def test_what_is_used_is_counted_in_parts_and_within_the_window_only() -> None:
    series = {"": ([0, 1], [9, 9]), "a": ([0, SECOND, 2 * SECOND, 3 * SECOND], [1, 2, 2, 50])}
    assert figures.used_share(series, {"a": 2.0}, SECOND, 3 * SECOND) == 1.0


def test_a_sender_that_never_sent_still_counts_as_allowed() -> None:
    series = {"a": ([0, SECOND], [1, 1])}
    assert figures.used_share(series, {"a": 1.0, "silent": 1.0}, 0, 2 * SECOND) == 0.5


def test_a_window_of_whole_periods_ends_where_a_period_ends() -> None:
    assert figures.whole_periods(5, 5 + 29 * SECOND, 10 * SECOND) == 5 + 20 * SECOND


def test_equal_counts_are_equal_shares_and_weights_are_taken_into_account() -> None:
    assert figures.shares([30, 30]) == [1.0, 1.0]
    assert figures.shares([20, 40], [1.0, 2.0]) == [1.0, 1.0]
    assert figures.shares([10, 30]) == [0.5, 1.5]


def test_campaigns_of_all_sizes_from_smallest_to_largest() -> None:
    sizes = campaign_sizes(50, 200, 20_000)
    assert len(set(sizes)) == 50
    assert (min(sizes), max(sizes)) == (200, 20_000)


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        (Figure("told", 1.0), None),
        (Figure("enough", 0.75, least=0.75), True),
        (Figure("too little", 0.749, least=0.75), False),
        (Figure("too much", 0.201, most=0.2), False),
        (Figure("nothing over", 0.0, most=0), True),
    ],
)
def test_a_figure_is_judged_by_its_bounds_and_only_by_them(figure: Figure, reached: bool | None) -> None:
    assert figure.reached is reached


def test_numbers_are_shown_with_the_digits_that_matter() -> None:
    assert [shown(value) for value in (0.754321, 17_321.4, 123.44, 60.0)] == ["0.754", "17,321", "123.4", "60"]


def test_what_is_measured_in_turns_is_put_beside_its_neighbours_as_the_machine_changes_meanwhile() -> None:
    assert figures.beside([100, 99, 100, 198, 300]) == [0.99, 0.99]
