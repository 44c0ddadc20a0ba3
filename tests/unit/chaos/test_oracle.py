"""The chaos suite's oracle goes red where it must: each check with books that break exactly its promise."""

from collections.abc import Mapping

from tests.chaos.oracle import Books, Check, Row, Tally, lost, priced, too_fast, twice
from volley.message import MessageId
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import Price

CAMPAIGN = "0123456789abcdef"
PRICE = Price("0.004", "0.003")


def arrival(
    offset: int, *, at_s: float = 0.0, to: str = "", parts: int = 1, result: str = "accepted", generation: int = 0
) -> Arrival:
    return Arrival(
        int(at_s * 1_000_000), 0, "+1", to or f"+{offset}", parts, "id", f"{CAMPAIGN}-0-{offset}-g{generation}", "", 0, 200,
        "", result, "",
    )  # fmt: skip


def books(
    states: str, took: list[Arrival], ledger: Mapping[int, Row] | None = None, *, accepted: int = 0, **counts: int
) -> Books:
    places = {MessageId(CAMPAIGN, 0, offset): state for offset, state in enumerate(states)}
    rows = None if ledger is None else {MessageId(CAMPAIGN, 0, offset): row for offset, row in ledger.items()}
    return Books(took, {CAMPAIGN: Tally(accepted or len(states), counts)}, places, rows, frozenset({CAMPAIGN}))


def wrong(check: Check, what: str) -> bool:
    return not check.kept and what in check.found


DELIVERED = Row("delivered", 1, 7000)
FINE = books("aa", [arrival(0), arrival(1)], {0: DELIVERED, 1: DELIVERED}, submitted=2)


def test_books_that_agree_are_kept() -> None:
    checks = (twice(FINE), lost(FINE, unknown_allowed=False), too_fast(FINE, {"+1": 10}, 10), priced(FINE, PRICE))
    assert [check.kept for check in checks] == [True] * 4


def test_a_person_who_was_reached_twice_is_found() -> None:
    assert not twice(books("aa", [arrival(0, to="+9"), arrival(1, to="+9")], submitted=2)).kept


def test_a_message_that_was_taken_twice_is_found() -> None:
    assert wrong(twice(books("a", [arrival(0), arrival(0, to="+8", generation=1)], submitted=1)), f"{CAMPAIGN}-0-0")


def test_a_replay_by_key_is_no_second_message() -> None:
    assert twice(books("a", [arrival(0), arrival(0, result="replayed")], submitted=1)).kept


def test_a_sum_that_is_short_is_found() -> None:
    assert wrong(lost(books("aa", [arrival(0), arrival(1)], accepted=3, submitted=2)), "2 counted of 3")


def test_counters_that_differ_from_the_states_are_found() -> None:
    assert wrong(lost(books("ax", [arrival(0)], submitted=2)), "differ")


def test_what_the_carrier_took_and_we_think_unsent_is_found() -> None:
    assert wrong(
        lost(books("ac", [arrival(0), arrival(1)], submitted=1, cancelled=1)), "the carrier took it, Redis says"
    )


def test_what_we_think_sent_and_the_carrier_never_had_is_found() -> None:
    assert wrong(lost(books("aa", [arrival(0)], submitted=2)), "the carrier did not take it, Redis says submitted")


def test_unknown_is_fine_only_where_it_is_allowed() -> None:
    doubtful = books("a?", [arrival(0), arrival(1)], submitted=1, unknown=1)
    assert lost(doubtful).kept
    assert wrong(lost(doubtful, unknown_allowed=False), "unknown")


def test_what_is_still_open_is_found() -> None:
    assert wrong(lost(books("a.", [arrival(0)], submitted=1, ready=1)), "not drained")


def test_a_ledger_that_misses_a_message_or_says_otherwise_is_found() -> None:
    assert wrong(lost(books("aa", [arrival(0), arrival(1)], {0: DELIVERED}, submitted=2)), "has no row")
    other = {0: DELIVERED, 1: Row("refused", None, None)}
    assert wrong(lost(books("aa", [arrival(0), arrival(1)], other, submitted=2)), "the ledger refused")


def test_a_burst_is_found_and_replays_are_part_of_it() -> None:
    burst = [arrival(each, at_s=each / 100, result="replayed" if each % 2 else "accepted") for each in range(40)]
    assert too_fast(books("", burst), {"+1": 40}, 40).kept
    assert not too_fast(books("", burst), {"+1": 20}, 40).kept
    assert not too_fast(books("", burst), {"+1": 40}, 20).kept


def test_a_price_that_is_not_the_carriers_is_found() -> None:
    assert wrong(priced(books("a", [arrival(0)], {0: Row("delivered", 2, 7000)}, submitted=1), PRICE), "2 parts")
    assert wrong(priced(books("a", [arrival(0)], {0: Row("delivered", 1, 4000)}, submitted=1), PRICE), "4000")


def test_a_price_that_nobody_told_is_found_unless_it_may_be_missing() -> None:
    silent = books("a", [arrival(0)], {0: Row("submitted", None, None)}, submitted=1)
    assert not priced(silent, PRICE).kept
    assert priced(silent, PRICE, whole=False).kept
