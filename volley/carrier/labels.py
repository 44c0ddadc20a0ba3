"""Outcomes as words for counters: a bounded set, whatever the carrier says."""

from typing import assert_never

from volley.carrier.codes import policy
from volley.carrier.outcome import Accepted, NotSent, Outcome, PerhapsSent, Refused, Throttled

ACCEPTED = "accepted:"
UNDELIVERED = "undelivered"
_OTHER = "other"


def label(outcome: Outcome) -> str:
    """`kind:code`. The code is the carrier's where the table has it, else `other`; without one what happened: `http_503`,
    `no_answer`, `no_connection`, `late`."""
    match outcome:
        case Accepted():
            return ACCEPTED
        case Refused(status=status, code=code):
            return f"refused:{_code(status, code)}"
        case Throttled(status=status, code=code):
            return f"throttled:{_code(status, code)}"
        case NotSent(reason=reason):
            return f"not_sent:{_word(reason)}"
        case PerhapsSent(status=status):
            return f"perhaps_sent:{_status(status) if status else 'no_answer'}"
        case _:
            assert_never(outcome)


def undelivered(code: str) -> str:
    """Of a message that a receipt says was not delivered: the code of its error, `other` where the table has none."""
    return f"{UNDELIVERED}:{code if code and policy(code, 0).known else _OTHER}"


def meaning(code: str) -> str:
    """What the table says of a code; '' where it has none."""
    rule = policy(code, 0)
    return rule.meaning if code and rule.known and rule.code == code else ""


def _code(status: int, code: str) -> str:
    if not code:
        return _status(status)
    return code if policy(code, 0).known else _OTHER


def _status(status: int) -> str:
    return f"http_{status}" if 100 <= status < 600 else _OTHER


def _word(reason: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in reason.replace("'s", ""))[:40]
