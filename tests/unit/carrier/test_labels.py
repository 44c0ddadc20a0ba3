"""Labels of outcomes stay few, whatever the carrier says."""

import pytest

from volley.carrier.labels import label
from volley.carrier.outcome import LATE, UNREACHABLE, Accepted, NotSent, Outcome, PerhapsSent, Refused, Throttled


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Accepted("id"), "accepted:"),
        (Refused(400, "40310", "invalid 'to'"), "refused:40310"),
        (Refused(400, "99999", "a code of next year"), "refused:other"),
        (Refused(422, "", ""), "refused:http_422"),
        (Throttled(1.0, "account", 429, "10011", ""), "throttled:10011"),
        (NotSent(LATE), "not_sent:late"),
        (NotSent("no connection in time"), "not_sent:no_connection_in_time"),
        (PerhapsSent("HTTP 503 Service unavailable", 503), "perhaps_sent:http_503"),
        (PerhapsSent("no answer in time", 0), "perhaps_sent:no_answer"),
    ],
)
def test_each_outcome_has_its_label(outcome: Outcome, expected: str) -> None:
    assert label(outcome) == expected


def test_what_a_stranger_writes_into_a_code_makes_no_label_of_its_own() -> None:
    made = {label(Refused(400, f"+1202555{n:04d}", "")) for n in range(50)}
    assert made == {"refused:other"}
    assert all(" " not in label(NotSent(reason)) for reason in UNREACHABLE)
