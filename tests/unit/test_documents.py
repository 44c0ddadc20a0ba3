"""Documents about campaigns: counts that add up, rates and times that are not invented."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from producer.sight import documents, standstill
from volley.campaign import Campaign
from volley.outbox.rests import RestView
from volley.outbox.views import CampaignView, ProfileView
from volley.outbox.workers import WorkerView
from volley.state import LEDGER_STATUSES, STATUS, STATUSES


def view(
    *,
    ready: int = 0,
    submitted: int = 0,
    first_us: int = 0,
    last_us: int = 0,
    state: str = "ready",
    sender: str | None = None,
) -> CampaignView:
    counts = dict.fromkeys(STATUS.values(), 0) | {"ready": ready, "submitted": submitted}
    total = ready + submitted
    facts = Campaign("0123456789abcdef", "p1", "hi", accepted=total, parts=2 * total, sender=sender)
    return CampaignView(
        campaign=facts,
        state=state,
        counts=counts,
        sent_parts=2 * submitted,
        cost_micros=8000 * submitted,
        first_us=first_us,
        last_us=last_us,
        sealed_us=1,
        planned_chunks=1,
    )


NOW = 1_000_000_000
HANDS = WorkerView("w1", "here", 1, 1, 1, 0, 0.0)
MINUTE = 60_000_000


def profile(rate: float = 0.0, allowed_rate: float = 50.0, weight: int = 1) -> ProfileView:
    own = {"+12125550100": 0.5}
    return ProfileView(
        "p1", 30, 995_500_000, rate, 4, allowed_rate, limit=50.0, own_rates=own, weight=weight, now_us=NOW
    )


hot = st.fixed_dictionaries({status: st.integers(0, 50) for status in STATUS.values()})
shares = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(hot, shares)
def test_counts_add_up_to_the_accepted_whatever_receipts_say(counted: dict[str, int], parts: list[float]) -> None:
    left, receipts = counted["submitted"], {}
    for status, share in zip(LEDGER_STATUSES, parts, strict=True):
        receipts[status] = int(left * share)
        left -= receipts[status]
    told = documents.counts(counted, receipts | {"submitted": 1, "ready": 3})
    assert list(told) == list(STATUSES)
    assert sum(told.values()) == sum(counted.values())
    assert told["submitted"] == left


def test_what_was_cancelled_at_the_carrier_is_cancelled_and_no_longer_submitted() -> None:
    counted = view(submitted=10).counts | {"cancelled": 5}
    for ledger, told in ((5, (10, 5)), (9, (6, 9)), (2, (10, 5)), (40, (0, 15))):
        found = documents.counts(counted, {"cancelled": ledger})
        assert (found["submitted"], found["cancelled"]) == told
        assert sum(found.values()) == 15


def test_the_cost_is_the_ledgers_once_it_knows_of_all_that_was_taken() -> None:
    taken = view(submitted=10)
    for statuses, cost in (
        ({"submitted": 2, "delivered": 8}, "0.07"),
        ({"cancelled": 10}, "0.07"),
        ({"delivered": 9, "refused": 5}, "0.08"),
    ):
        told = documents.campaign(taken, profile(), documents.Recorded(statuses, {"USD": 70_000, "EUR": 1}))
        assert told["cost"] == {"amount": cost, "currency": "USD"}
    nothing = documents.campaign(taken, profile(), documents.Recorded({"delivered": 10}, {}))
    assert nothing["cost"]["amount"] == "0.00"
    assert documents.campaign(taken, profile())["cost"]["amount"] == "0.08"


def test_without_the_ledger_all_that_was_taken_is_submitted() -> None:
    assert documents.campaign(view(submitted=3), profile())["counts"] == view(submitted=3).counts


def test_a_campaign_that_has_just_begun_has_the_rate_since_its_first_part() -> None:
    told = documents.campaign(view(ready=50, submitted=100, first_us=NOW - 10_000_000, last_us=NOW), profile())
    assert (told["rate"], told["eta_seconds"]) == (20.0, 5.0)
    assert told["cost"] == {"amount": "0.80", "currency": "USD"}


def test_what_a_campaign_did_before_a_pause_does_not_slow_its_rate() -> None:
    paused_for_an_hour = view(ready=50, submitted=100, first_us=NOW - 60 * MINUTE, last_us=NOW)
    told = documents.campaign(paused_for_an_hour, profile(rate=10.0))
    assert (told["rate"], told["eta_seconds"]) == (10.0, 10.0)


def test_campaigns_of_one_profile_share_its_rate_by_weight() -> None:
    told = documents.campaign(view(ready=50, first_us=NOW - MINUTE, last_us=NOW), profile(rate=10.0, weight=4))
    assert (told["rate"], told["eta_seconds"]) == (2.5, 40.0)


def test_a_fast_beginning_promises_no_more_than_the_slow_class_can_keep() -> None:
    fast = view(ready=50, first_us=NOW - MINUTE, last_us=NOW)
    told = documents.campaign(fast, profile(rate=40.0, allowed_rate=4.0))
    assert (told["rate"], told["eta_seconds"]) == (40.0, 25.0)


def test_where_nothing_was_sent_of_late_the_allowed_rate_tells_the_time() -> None:
    assert documents.campaign(view(ready=50), profile())["eta_seconds"] == 2.0
    stale = view(ready=50, submitted=100, first_us=NOW - 9 * MINUTE, last_us=NOW - MINUTE)
    told = documents.campaign(stale, profile(rate=25.0))
    assert (told["rate"], told["eta_seconds"]) == (0.0, 2.0)
    assert documents.campaign(view(ready=50), profile(allowed_rate=0.0))["eta_seconds"] is None


def test_a_campaign_with_a_sender_of_its_own_is_as_fast_as_that_one() -> None:
    assert documents.campaign(view(ready=50, sender="+12125550100"), profile())["eta_seconds"] == 200.0
    assert documents.campaign(view(ready=50, sender="+12125550199"), profile())["eta_seconds"] is None


def test_mms_are_no_faster_than_the_accounts_mms() -> None:
    mms = view(ready=50)
    mms = replace(mms, campaign=replace(mms.campaign, media=("https://example.com/a.jpg",)))
    assert documents.campaign(mms, replace(profile(), mms_limit=5.0))["eta_seconds"] == 20.0
    assert documents.campaign(view(ready=50), replace(profile(), mms_limit=5.0))["eta_seconds"] == 2.0


def test_while_its_profile_rests_the_time_is_reckoned_from_the_end_of_the_rest() -> None:
    resting = replace(profile(), rests_until_us=NOW + MINUTE)
    assert documents.campaign(view(ready=50), resting)["eta_seconds"] == 62.0
    assert documents.queue(resting, [view(ready=50)], NOW)["eta_seconds"] == 62.0
    assert documents.queue(resting, [], NOW)["eta_seconds"] == 0
    assert documents.campaign(view(ready=50), replace(resting, rests_until_us=NOW - 1))["eta_seconds"] == 2.0


def test_what_is_paused_has_no_rate_and_no_eta_and_what_is_over_nothing_to_wait_for() -> None:
    told = documents.campaign(view(ready=50, submitted=9, first_us=NOW - 1, last_us=NOW, state="paused"), profile(9.0))
    assert (told["rate"], told["eta_seconds"]) == (0.0, None)
    over = documents.campaign(view(submitted=100, first_us=10_000_000, last_us=20_000_000), profile())
    assert (over["rate"], over["eta_seconds"]) == (20.0, 0)


def test_a_queue_tells_depth_age_rate_and_eta() -> None:
    told = documents.queue(profile(rate=6.0), [view(ready=30, submitted=10)], now_us=NOW)
    assert (told["depth"], told["oldest_age_seconds"], told["rate"], told["eta_seconds"]) == (30, 4.5, 6.0, 10.0)
    assert documents.queue(profile(), [view(ready=50)], NOW)["eta_seconds"] == 2.0
    assert documents.queue(profile(), [view(ready=50, state="paused")], NOW)["eta_seconds"] is None
    assert documents.queue(profile(), [view(ready=50, sender="pool:p1")], NOW)["eta_seconds"] is None


def test_an_empty_queue_has_no_age_and_nothing_to_wait_for() -> None:
    told = documents.queue(ProfileView("p1", 0, 0, 0.0, 4, 50.0), [], now_us=5)
    assert (told["depth"], told["oldest_age_seconds"], told["eta_seconds"]) == (0, 0, 0)


def test_why_nothing_moves_is_told_the_widest_first_and_not_in_endless_lists() -> None:
    account = RestView("account", "", 4_102_444_800_000_000, "10009 Authentication failed")
    senders = [RestView("sender", f"+1212555010{n}", 4_102_444_800_000_000, "40008") for n in range(7)]
    said = standstill.reasons([view(ready=5, state="paused")], [], 201, 200, [account, *senders])
    assert said[0] == "no worker is running: start volley worker, or volley up"
    assert said[1].startswith("the ledger is behind: 201 entries wait")
    assert said[2] == "the account rests until 2100-01-01 00:00:00 UTC: 10009 Authentication failed"
    assert said[8:] == [
        "2 more senders rest: volley numbers list",
        "campaign 0123456789abcdef is paused: volley campaigns resume 0123456789abcdef",
    ]


def test_campaigns_whose_own_sender_has_left_the_pool_are_told_of() -> None:
    gone, there = view(ready=5, sender="pool:p1"), view(ready=5, sender="+12125550100")
    [said] = standstill.reasons([gone, there], [HANDS], 0, 200, [], [profile()])
    assert said.startswith("campaign 0123456789abcdef waits for its sender pool:p1, which is not in the pool now")
    rest = RestView("sender", "pool:p1", 4_102_444_800_000_000, "40321")
    assert [line.split(" ")[0] for line in standstill.reasons([gone], [HANDS], 0, 200, [rest], [profile()])] == [
        "sender"
    ]
    assert standstill.reasons([gone] * 9, [HANDS], 0, 200, [], [profile()])[-1].startswith(
        "4 more campaigns wait for senders"
    )


def test_while_all_goes_well_there_is_nothing_to_say() -> None:
    assert standstill.reasons([view(ready=5)], [HANDS], 200, 200, []) == []
    assert standstill.reasons([], [], 0, 200, []) == [], "no work, so nobody is missed"


def test_people_whom_no_sender_may_serve_and_mms_that_rest_are_told_of() -> None:
    rest = RestView("mms", "", 4_102_444_800_000_000, "full")
    said = standstill.reasons([view(ready=5)], [HANDS], 0, 200, [rest], [profile(), replace(profile(), unserved=7)])
    assert said[0] == "MMS of the account rests until 2100-01-01 00:00:00 UTC: full"
    assert [line.startswith("no sender of p1 may send to the countries of 7 messages") for line in said[1:]] == [True]


def test_every_status_is_named_also_where_the_ledger_says_nothing() -> None:
    for counted in (None, {}, {"0123456789abcdef": documents.Recorded({"delivered": 2})}):
        told = documents.laid_over(view(submitted=3), profile(), counted)
        assert (list(told["counts"]), sum(told["counts"].values())) == (list(STATUSES), 3)
        assert told["ledger_answered"] is (counted is not None)


def test_workers_that_are_all_quiet_are_told_as_none_that_takes() -> None:
    quiet = replace(HANDS, quiet=True)
    [said] = standstill.reasons([view(ready=5)], [quiet, quiet], 0, 200, [])
    assert said.startswith("every worker is quiet (SIGTSTP)")
    assert standstill.reasons([view(ready=5)], [quiet, HANDS], 0, 200, []) == []
    assert standstill.reasons([], [quiet], 0, 200, []) == []
