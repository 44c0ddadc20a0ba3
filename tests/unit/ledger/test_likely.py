"""A record is a message's likely answer by sender, person and time, each at most once, and never more than likely."""

from dataclasses import replace

from volley.carrier.records_api import DetailRecord
from volley.ledger.likely import Likely, Unknown, likely_answers

T = 1_763_800_000_000_000
RECORD = DetailRecord(
    uuid="a", direction="outbound", profile="p", sender="+12025559001", to="+12025550100", said="delivered",
    status="delivered", parts=1, cost_micros=4000, rate_micros=-1, fee_micros=-1, currency="USD", created_us=T,
    sent_us=-1, completed_us=-1, updated_us=-1, error_code="",
)  # fmt: skip
MESSAGE = Unknown("m", "p", "+12025559001", "+12025550100", T - 1_000_000, T + 60_000_000)


def test_the_only_record_of_the_only_message_is_named_as_alone() -> None:
    assert likely_answers([RECORD], [MESSAGE]) == [Likely("a", "m", True)]


def test_another_sender_person_profile_or_time_is_no_answer() -> None:
    others = [
        replace(RECORD, sender="+12025559002"),
        replace(RECORD, to="+12025550101"),
        replace(RECORD, profile="q"),
        replace(RECORD, created_us=T - 2_000_000),
        replace(RECORD, created_us=T + 61_000_000),
    ]
    assert likely_answers(others, [MESSAGE]) == []


def test_a_sender_of_the_carriers_choice_is_any_sender() -> None:
    for sender in ("", "pool:p"):
        assert likely_answers([RECORD], [replace(MESSAGE, sender=sender)]) == [Likely("a", "m", True)]


def test_two_messages_to_one_person_share_their_records_out_by_time_and_say_that_they_are_not_alone() -> None:
    second = replace(MESSAGE, message_id="n", earliest_us=T + 9_000_000, latest_us=T + 70_000_000)
    records = [replace(RECORD, uuid="b", created_us=T + 10_000_000), RECORD]
    assert set(likely_answers(records, [MESSAGE, second])) == {Likely("a", "m", False), Likely("b", "n", False)}


def test_one_record_answers_one_of_two_messages_only() -> None:
    rival = replace(MESSAGE, message_id="n")
    assert [(each.message_id, each.alone) for each in likely_answers([RECORD], [MESSAGE, rival])] == [("m", False)]
