"""What an outcome asks for: the only home of the retry policy. Pure; chance and time are arguments."""

from dataclasses import dataclass
from typing import assert_never

from volley.carrier.codes import Policy, policy
from volley.carrier.outcome import LATE, Accepted, NotSent, Outcome, PerhapsSent, Refused, Scope, Throttled
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, NOT_SPENT, OTHER_SENDER
from volley.state import State

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
LONGEST_STOP_S = {"sender": 86_400.0, "group": 90_000.0, "profile": 90_000.0, "account": 60.0}
"""A stop that only a person can end is tried again after this long; an account's soon, as all its messages wait."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A sender, registered campaign, profile or account is granted nothing for `seconds`."""

    scope: Scope
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Next:
    """The state a message goes to; when READY, after how long. `flags` are those of an outcome (flights)."""

    state: State
    delay_s: float = 0.0
    flags: int = 0
    rest: Rest | None = None


SUBMITTED = Next(State.SUBMITTED)


def after(outcome: Outcome, spent: int, *, most: int, now_s: float, chance: float, again: bool = False) -> Next:
    """What follows an attempt.

    `spent`: attempts that counted against the message, this one included, of `most`. `chance` in [0, 1) spreads retries.
    `again`: it repeats one of which nobody knows what came.
    """
    step = _after(outcome, spent, most, now_s, chance)
    return _still_unknown(step) if again and step != SUBMITTED else step


def _still_unknown(step: Next) -> Next:
    """A repeat that was not accepted says nothing of the attempt before it. Its bucket rests all the same, and a person who has
    opted out is known to have.
    """
    state = step.state if step.state == State.OPTED_OUT else State.UNKNOWN
    harmless = 0 if step.state == State.UNKNOWN else NOT_SPENT
    return Next(state, step.delay_s, harmless | (step.flags & NO_ATTEMPT), step.rest)


def _after(outcome: Outcome, spent: int, most: int, now_s: float, chance: float) -> Next:
    match outcome:
        case Accepted():
            return SUBMITTED
        case PerhapsSent():
            return Next(State.UNKNOWN)
        case NotSent(reason=reason) if reason == LATE:
            return Next(State.READY, flags=NO_ATTEMPT | AT_HEAD)
        case NotSent():
            return Next(State.READY, backoff_s(spent, chance), NOT_SPENT)
        case Throttled(wait_s=wait_s, scope=scope, code=code, text=text):
            rest = Rest(scope, min(wait_s, LONGEST_STOP_S["profile"]), _reason(code, text))
            # the bucket rests for all; the message itself stands at the head of its lane again when that is over, and soon
            # where it takes long: a sync may end it before its time
            return Next(State.READY, min(wait_s, LONGEST_DELAY_S) + chance * min(1.0, wait_s), NOT_SPENT, rest)
        case Refused():
            return _refused(outcome, policy(outcome.code, outcome.status), spent, most, now_s, chance)
        case _:
            assert_never(outcome)


def _refused(outcome: Refused, rule: Policy, spent: int, most: int, now_s: float, chance: float) -> Next:
    match rule.action:
        case "never":
            return Next(State.REFUSED)
        case "stop_sender" | "stop_profile" | "stop_account" if outcome.own:
            return Next(State.REFUSED)
        case "opted_out":
            return Next(State.OPTED_OUT)
        case "perhaps":
            return Next(State.UNKNOWN)
        case "stop_profile" | "stop_account":
            return Next(State.READY, FIRST_DELAY_S + chance, NOT_SPENT, _stop(outcome, rule, now_s))
        case "stop_sender" | "other_sender":
            flags = OTHER_SENDER if rule.action == "other_sender" else NOT_SPENT
            if spent >= most and flags == OTHER_SENDER:
                return Next(State.REFUSED, rest=_stop(outcome, rule, now_s))
            return Next(State.READY, FIRST_DELAY_S * chance, flags, _stop(outcome, rule, now_s))
        case "retry":
            return Next(State.DEAD) if spent >= most else Next(State.READY, backoff_s(spent, chance))
        case _:
            assert_never(rule.action)


def _stop(outcome: Refused, rule: Policy, now_s: float) -> Rest | None:
    if rule.stops is None:
        return None
    return Rest(rule.stops, min(rule.stop_s(now_s), LONGEST_STOP_S[rule.stops]), _reason(outcome.code, outcome.text))


def _reason(code: str, text: str) -> str:
    return f"{code} {text}".strip()


def backoff_s(tries: int, chance: float) -> float:
    """1, 2, 4, 8 … 60 s after the first, second … try, each stretched by up to its half so that retries do not march in step."""
    base = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (min(max(1, tries), 32) - 1))
    return base * (1.0 + chance / 2.0)
