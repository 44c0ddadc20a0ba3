"""What the doctor makes of what it found: the verdicts that need no other process."""

import pytest

from producer.doctor import probe, webhooks, work
from producer.doctor.account import judge_clock
from volley.carrier.outcome import Accepted, NotSent, Outcome, PerhapsSent, Refused

NOW = 1_763_800_000_000_000
MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (Accepted("a"), Accepted("a"), "honoured"),
        (Accepted("a"), Accepted("b"), "ignored"),
        (Accepted("a"), Refused(422, "10027", "The body differs"), "unclear"),
        (Accepted("a"), PerhapsSent("no answer in time", 0), "unclear"),
        (Accepted(), Accepted("a"), "unclear"),
        (NotSent("no connection"), Accepted("a"), "unclear"),
    ],
)
def test_only_two_ids_prove_what_a_carrier_does_with_the_key(first: Outcome, second: Outcome, verdict: str) -> None:
    assert probe.judge(first, second)[0] == verdict


@pytest.mark.parametrize(
    ("skew_s", "state"), [(0.4, "ok"), (-4, "ok"), (20, "warning"), (-20, "warning"), (-121, "failed")]
)
def test_clocks_may_differ_by_seconds_and_not_by_minutes(skew_s: float, state: str) -> None:
    assert judge_clock("clock", "the carrier", skew_s).state == state


@pytest.mark.parametrize(
    ("came", "taken", "state", "found"),
    [
        ({}, False, "ok", "none yet"),
        ({}, True, "warning", "none, though the carrier has taken messages"),
        ({"applied": (9, NOW - 5 * MINUTE)}, True, "ok", "the last one 5 min ago"),
        ({"refused": (3, NOW)}, False, "ok", "none yet"),
        ({"refused": (300, NOW)}, True, "warning", "all of 300 were refused: their signature did not fit"),
        (
            {"applied": (9, NOW - MINUTE), "failover": (4, NOW - 3 * MINUTE)},
            True,
            "warning",
            "the last one 1 min ago; 4 came to the failover address, 3 min ago the last",
        ),
        (
            {"applied": (9, NOW - 5 * MINUTE), "refused": (7, NOW), "misfit": (4, NOW - MINUTE)},
            True,
            "warning",
            "the last one 5 min ago; since then some came whose signature did not fit, 1 min ago the last",
        ),
        ({"applied": (9, NOW - MINUTE), "misfit": (4, NOW - 2 * MINUTE)}, True, "ok", "the last one 1 min ago"),
        ({"applied": (9, NOW - MINUTE), "failover": (4, NOW - 3000 * MINUTE)}, True, "ok", "the last one 1 min ago"),
    ],
)
def test_webhooks_that_came_or_did_not_are_judged(
    came: dict[str, tuple[int, int]], taken: bool, state: str, found: str
) -> None:
    verdict = webhooks.judge(came, taken=taken, now_us=NOW)
    assert (verdict.state, verdict.found) == (state, found)


def test_no_worker_is_a_failure_only_where_messages_wait() -> None:
    assert [work.workers(alive, waiting).state for alive, waiting in ((1, 5), (0, 0), (0, 5))] == [
        "ok",
        "warning",
        "failed",
    ]
