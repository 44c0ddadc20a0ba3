"""The retry policy as a table: every kind of outcome, and what must hold for all of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volley.carrier.codes import rows
from volley.carrier.outcome import LATE, Accepted, NotSent, Outcome, PerhapsSent, Refused, Scope, Throttled
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, NOT_SPENT, OTHER_SENDER
from volley.outbox.pool import Member
from volley.state import MOVES, State
from worker.next import LONGEST_STOP_S, Next, after, backoff_s
from worker.settling import bucket_of

NOON_S = 1_800_000_000.0 // 86_400 * 86_400 + 43_200
DAY_S = 86_400
MOST = 5


def what(outcome: Outcome, spent: int = 1, chance: float = 0.0) -> Next:
    return after(outcome, spent, most=MOST, now_s=NOON_S, chance=chance)


def refused(code: str, status: int = 400) -> Refused:
    return Refused(status, code, "why")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Accepted(), State.SUBMITTED),
        (Accepted("id", "GSM-7", 1, 4000), State.SUBMITTED),
        (PerhapsSent("no answer in time", 0), State.UNKNOWN),
        (PerhapsSent("HTTP 500", 500), State.UNKNOWN),
        (NotSent(LATE), State.READY),
        (NotSent("no connection"), State.READY),
        (Throttled(2.0, "account", 429, "10011", ""), State.READY),
        (Throttled(math.nextafter(0, 1), "sender", 429, "40011", ""), State.READY),
        (refused("10002"), State.REFUSED),
        (refused("40310"), State.REFUSED),
        (refused("no such code"), State.REFUSED),
        (refused("40300"), State.OPTED_OUT),
        (refused("10007"), State.UNKNOWN),
        (refused("10036"), State.UNKNOWN),
        (refused("40305"), State.READY),
        (refused("40312"), State.READY),
        (refused("10009", 401), State.READY),
        (refused("20100", 403), State.READY),
        (refused("40008"), State.READY),
    ],
)
def test_where_each_outcome_leads(outcome: Outcome, state: State) -> None:
    assert what(outcome).state is state


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.code}-{row.status}")
@pytest.mark.parametrize("spent", [1, MOST, 255])
def test_every_code_of_the_table_leads_somewhere_legal_and_finite(row: object, spent: int) -> None:
    step = what(Refused(row.status or 400, row.code if row.code.isdigit() else "", "why"), spent, 0.999)  # type: ignore[attr-defined]
    assert "s" + step.state in MOVES
    assert 0 <= step.delay_s < 7200
    assert step.rest is None or 0 < step.rest.seconds <= LONGEST_STOP_S[step.rest.scope]


def test_a_late_grant_goes_first_and_costs_nothing() -> None:
    assert what(NotSent(LATE)) == Next(State.READY, flags=NO_ATTEMPT | AT_HEAD)


@pytest.mark.parametrize("spent", [1, MOST, 200])
def test_throttling_and_an_unreachable_carrier_never_spend_the_budget(spent: int) -> None:
    for outcome in (Throttled(3.0, "account", 429, "10011", ""), NotSent("no connection"), refused("10009", 401)):
        step = what(outcome, spent)
        assert step.state is State.READY
        assert step.flags & NOT_SPENT


def test_a_throttled_bucket_rests_as_long_as_the_carrier_asked() -> None:
    step = what(Throttled(3.0, "sender", 429, "40011", "slow down"), chance=0.5)
    assert step.rest is not None
    assert (step.rest.scope, step.rest.seconds) == ("sender", 3.0)
    assert 3.0 <= step.delay_s <= 4.0


def test_a_code_that_may_pass_is_tried_until_the_budget_is_spent() -> None:
    states = [what(refused("40008"), spent).state for spent in range(1, MOST + 1)]
    assert states == [State.READY] * (MOST - 1) + [State.DEAD]


def test_a_sender_that_is_not_valid_rests_and_another_one_is_tried() -> None:
    step = what(refused("40305"))
    assert step.flags & OTHER_SENDER
    assert not step.flags & NOT_SPENT
    assert step.rest is not None
    assert (step.rest.scope, step.rest.seconds) == ("sender", 3600)


def test_when_no_sender_will_do_the_message_is_refused_in_the_end() -> None:
    step = what(refused("40305"), MOST)
    assert step.state is State.REFUSED
    assert step.rest is not None


def test_a_stopped_account_is_tried_again_soon_and_a_stopped_sender_within_a_day() -> None:
    account, sender = what(refused("10009", 401)).rest, what(refused("40003")).rest
    assert account is not None
    assert sender is not None
    assert (account.scope, account.seconds) == ("account", 60)
    assert (sender.scope, sender.seconds) == ("sender", DAY_S)


@given(st.integers(-5, 1_000_000), st.floats(0, 1, exclude_max=True))
def test_backoff_grows_to_its_limit_and_stays_finite(tries: int, chance: float) -> None:
    delay = backoff_s(tries, chance)
    assert 1.0 <= delay <= 90.0
    assert backoff_s(tries, 0.0) <= delay
    assert backoff_s(tries + 1, chance) >= delay


def test_backoff_doubles() -> None:
    assert [backoff_s(n, 0.0) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_retries_do_not_march_in_step(one: float, other: float) -> None:
    assert (backoff_s(3, one) == backoff_s(3, other)) == (4 * (1 + one / 2) == 4 * (1 + other / 2))


def test_a_scope_names_its_bucket() -> None:
    registered, alone = Member("+12025559000", 7, group="CMP1"), Member("+12025559001", 7)
    scopes: tuple[Scope, ...] = ("account", "profile", "group", "sender")
    assert [bucket_of(scope, registered, 9) for scope in scopes] == ["a", "p7", "gCMP1", "s9"]
    assert [bucket_of(scope, alone, 9) for scope in scopes] == ["a", "p7", "s9", "s9"]


def test_a_long_throttle_rests_its_bucket_and_not_the_message() -> None:
    step = what(Throttled(30_000.0, "profile", 429, "40333", "spent"), chance=0.5)
    assert step.delay_s <= 61
    assert step.rest is not None
    assert (step.rest.scope, step.rest.seconds) == ("profile", 30_000.0)


@pytest.mark.parametrize(
    ("outcome", "flags"),
    [
        (PerhapsSent("no answer in time", 0), 0),
        (NotSent(LATE), NO_ATTEMPT | NOT_SPENT),
        (NotSent("no connection"), NOT_SPENT),
        (Throttled(2.0, "account", 429, "10011", ""), NOT_SPENT),
        (refused("40310"), NOT_SPENT),
        (refused("40008"), NOT_SPENT),
        (refused("40305"), NOT_SPENT),
    ],
    ids=str,
)
def test_a_repeat_that_is_not_accepted_leaves_its_message_unknown(outcome: Outcome, flags: int) -> None:
    step = after(outcome, 9, most=MOST, now_s=NOON_S, chance=0.5, again=True)
    assert (step.state, step.flags) == (State.UNKNOWN, flags)
    assert step.rest == what(outcome, chance=0.5).rest


def test_an_accepted_repeat_is_submitted_and_one_refused_as_opted_out_says_so() -> None:
    assert after(Accepted(), 1, most=MOST, now_s=NOON_S, chance=0, again=True) == Next(State.SUBMITTED)
    assert after(refused("40300"), 1, most=MOST, now_s=NOON_S, chance=0, again=True).state == State.OPTED_OUT
