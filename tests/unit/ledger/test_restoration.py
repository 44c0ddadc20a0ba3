"""What is put back after Redis was lost: never ready where it may have been sent."""

from hypothesis import given
from hypothesis import strategies as st

from volley.ledger.ranks import RANKS, STATUS_OF
from volley.ledger.restoration import Known, doubtful_before, put_back

ranks = st.dictionaries(st.integers(0, 9), st.sampled_from(sorted(STATUS_OF)), max_size=10)


def test_states_follow_from_ranks():
    known = Known({0: 0, 1: RANKS["unknown"], 2: RANKS["refused"], 3: RANKS["delivered"], 4: RANKS["submitted"]}, {})
    assert put_back(known, 6, doubtful=False).states == ".?xaa."
    assert put_back(known, 6, doubtful=True) == ("??xaa?", (0, 5))


@given(ranks)
def test_where_anything_may_have_been_taken_nothing_is_ready(held):
    back = put_back(Known(held, {}), 10, doubtful=True)
    assert "." not in back.states
    assert {at for at in range(10) if held.get(at, 0) < RANKS["unknown"]} == set(back.marked)
    assert back.open == ("?" in back.states)


@given(ranks)
def test_what_has_ended_in_the_ledger_stays_ended_in_doubt_or_not(held):
    certain, doubtful = (put_back(Known(held, {}), 10, doubtful=each).states for each in (False, True))
    for at, rank in held.items():
        if rank > RANKS["unknown"]:
            assert certain[at] == doubtful[at]
            assert certain[at] not in ".s?"


def test_the_margin_begins_after_the_last_chunk_of_which_anything_is_known():
    assert doubtful_before([], 10) == 10
    assert doubtful_before([0, 7, 3], 10) == 18
    assert doubtful_before([4], 0) == 5
