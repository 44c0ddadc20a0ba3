"""The table of legal moves, all 81 of them."""

import itertools

import pytest

from volley.state import MOVES, MOVES_ARG, OPEN, RETRIES, STATUS, STATUSES, State, may

TABLE = {
    State.READY: "soecza",
    State.SENDING: ".axozce?",
    State.UNKNOWN: "a",
    State.SUBMITTED: "",
    State.REFUSED: "",
    State.OPTED_OUT: "a",
    State.EXPIRED: "a",
    State.CANCELLED: "a",
    State.DEAD: "a.",
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(State, State)))
def test_a_move_is_legal_exactly_where_the_table_says_so(old: State, new: State) -> None:
    assert may(old, new) == (new.value in TABLE[old])


def test_scripts_get_the_whole_table() -> None:
    assert set(MOVES_ARG.split(" ")) == MOVES
    assert all(len(move) == 2 for move in MOVES)


def test_a_retry_has_moves_of_its_own_and_of_what_is_over_for_certain() -> None:
    assert {"x.", "a."} == RETRIES
    assert not RETRIES & MOVES


def test_nothing_unknown_becomes_ready_by_itself() -> None:
    assert not may(State.UNKNOWN, State.READY)


def test_what_is_over_is_never_sent_again_unless_it_was_never_sent_and_a_person_wants_it() -> None:
    assert [new.value for new in OPEN if may(State.DEAD, new)] == ["."]
    over = set(State) - OPEN - {State.DEAD}
    assert not [old + new for old in over for new in OPEN if may(old, new)]


def test_every_state_has_a_status_of_its_own() -> None:
    assert set(STATUS) == set(State)
    assert len(set(STATUSES)) == len(STATUSES) == 12
