"""Entries into rows: what is malformed is an error, never a row of guesses."""

import pytest

from volley.ledger.facts import Entry, Facts, NewerEntry
from volley.ledger.paging import pages
from volley.outbox.events import MOVE, NOBODY, AttemptRecord, pack
from volley.sender import carrier_pool

RECORD = AttemptRecord(
    "0123456789abcdef", 0, 7, 1, 12025550107, None, "+12025559001", "GSM-7", 1, -1, 10, 0, 12,
    "not_sent", 0, "", "late", "", "", 0, -1, -1, -1, "USD",
)  # fmt: skip


def entry(**fields: bytes) -> Entry:
    return Entry("1-1", {name.encode(): value for name, value in ({"v": b"1"} | fields).items()})


def gathered(*entries: Entry) -> Facts:
    facts = Facts()
    for each in entries:
        facts.add(each, {3: "+12025559003"}.get)
    return facts


def test_what_nobody_knows_is_null_and_not_minus_one():
    facts = gathered(entry(k=b"attempts", p=pack([RECORD]), m=b"."))
    [attempt], [message] = facts.attempts, facts.messages
    assert (attempt["sent_us"], attempt["cost_micros"], attempt["http_status"]) == (None, None, None)
    assert (message["estimated_micros"], message["cost_micros"], message["reference"]) == (None, None, None)


def test_an_attempt_that_came_too_late_moves_nothing():
    [message] = gathered(entry(k=b"attempts", p=pack([RECORD]), m=b"-")).messages
    assert (message["rank"], message["status_us"], message["attempts"]) == (0, -1, 1)


def test_outcomes_without_an_attempt_follow_in_the_mask():
    assert len(gathered(entry(k=b"attempts", p=pack([RECORD]), m=b".cc")).attempts) == 1


def test_fewer_states_than_attempts_is_an_error():
    with pytest.raises(ValueError, match="2 attempts and 1 states"):
        gathered(entry(k=b"attempts", p=pack([RECORD, RECORD]), m=b"a"))


def test_a_move_names_the_sender_where_there_was_one():
    moves = [MOVE.pack(b"0123456789abcdef", 0, i, b"?", index, 2) for i, index in enumerate((3, NOBODY))]
    facts = gathered(entry(k=b"moves", p=b"".join(moves), w=b"reap", t=b"99"))
    assert [(row["sender"], row["sender_attempt"]) for row in facts.messages] == [("+12025559003", 2), (None, -1)]
    assert facts.bare == {("0123456789abcdef", 0)}


@pytest.mark.parametrize("version", [b"2", b"17"])
def test_a_newer_version_is_refused_with_what_to_do(version):
    with pytest.raises(NewerEntry, match="update Volley"):
        gathered(entry(v=version, k=b"attempts"))


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="unknown kind"):
        gathered(entry(k=b"gossip"))


def test_pages_leave_nothing_out():
    assert [list(page) for page in pages(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(pages([])) == []


def test_the_carriers_pool_is_nobodys_number_so_that_a_receipt_may_still_name_it():
    unknown = RECORD._replace(sender=carrier_pool("p"), outcome="perhaps_sent")
    lost = MOVE.pack(b"0123456789abcdef", 0, 7, b"?", 3, 1)
    facts = Facts()
    facts.add(entry(k=b"attempts", p=pack([unknown]), m=b"?"), {}.get)
    facts.add(entry(k=b"moves", p=lost, w=b"reap", t=b"5"), {3: carrier_pool("p")}.get)
    assert [(row["sender"], row["sender_attempt"]) for row in facts.messages] == [(None, -1)] * 2
    assert facts.attempts[0]["sender"] == carrier_pool("p")
