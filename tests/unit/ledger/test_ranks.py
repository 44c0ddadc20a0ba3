"""Ranks: every legal move climbs, and what the carrier says is read as it is meant."""

import pytest

from volley.ledger.ranks import (
    FINAL,
    RANK_OF_STATE,
    RANKS,
    STATUS_OF,
    SUBMITTED,
    WITHDRAWN,
    agrees,
    rank_of_mark,
    rank_of_receipt,
    sql_status,
)
from volley.state import LEDGER_STATUSES, MOVES, STATUSES


@pytest.mark.parametrize("move", sorted(MOVES - {"s.", "z."}))
def test_every_legal_move_climbs(move):
    # s. apart: `sending` is never recorded, so the ledger sees ready stay ready; z. is a person's, and the rank stays
    assert rank_of_mark(move[1]) > rank_of_mark(move[0])


def test_every_status_has_a_rank_of_its_own():
    assert set(RANKS) == set(STATUSES)
    assert set(STATUS_OF) - set(RANKS.values()) == {WITHDRAWN}
    assert set(STATUS_OF.values()) == set(STATUSES)


def test_only_a_receipt_goes_beyond_submitted():
    assert max(RANK_OF_STATE.values()) == SUBMITTED
    assert all(RANKS[status] >= FINAL > SUBMITTED for status in LEDGER_STATUSES)


@pytest.mark.parametrize(
    ("carrier_status", "status"),
    [
        ("queued", "submitted"),
        ("sending", "submitted"),
        ("sent", "submitted"),
        ("a word of next year", "submitted"),
        ("", "submitted"),
        ("delivered", "delivered"),
        ("delivery_failed", "undelivered"),
        ("sending_failed", "undelivered"),
        ("expired", "undelivered"),
        ("delivery_unconfirmed", "unconfirmed"),
        ("scheduled", "submitted"),
        ("cancelled", "cancelled"),
    ],
)
def test_the_carriers_words(carrier_status, status):
    assert STATUS_OF[rank_of_receipt(carrier_status)] == status


def test_a_cancel_at_the_carrier_stands_above_its_taking_and_below_every_other_end():
    assert SUBMITTED < rank_of_receipt("cancelled") < FINAL


def test_a_refused_report_has_a_rank_below_all():
    assert rank_of_mark("-") < min(RANKS.values())


def test_a_byte_that_is_no_state_is_an_error():
    with pytest.raises(KeyError):
        rank_of_mark("!")


def test_the_status_column_spells_every_rank():
    assert all(f"WHEN {rank} THEN '{status}'" in sql_status() for rank, status in STATUS_OF.items())


def test_hot_state_and_rank_agree_where_neither_knows_more_than_the_other_may():
    assert all(agrees(state, rank) for state, rank in RANK_OF_STATE.items() if state != "s")
    assert agrees("s", 0)
    assert not agrees("s", RANKS["sending"]), "sending is never recorded"
    for state, rank in (("a", 0), ("a", 20), ("x", 0), ("c", 30), ("?", 0), ("z", 0), ("s", 20)):
        assert not agrees(state, rank)


def test_what_the_carrier_has_is_never_ready_nor_ended_otherwise():
    taken = [rank for rank in STATUS_OF if rank >= SUBMITTED]
    assert {state for state in RANK_OF_STATE if all(agrees(state, rank) for rank in taken)} == set("as?")
    assert not any(agrees(state, rank) for state in ".xocez" for rank in taken)
