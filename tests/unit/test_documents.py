"""Documents about campaigns: counts that add up, rates and times that are not invented."""

from hypothesis import given
from hypothesis import strategies as st

from producer import documents
from volley.campaign import Campaign
from volley.outbox.views import CampaignView, ProfileView
from volley.state import LEDGER_STATUSES, STATUS, STATUSES


def view(
    *, ready: int = 0, submitted: int = 0, first_us: int = 0, last_us: int = 0, state: str = "ready"
) -> CampaignView:
    counts = dict.fromkeys(STATUS.values(), 0) | {"ready": ready, "submitted": submitted}
    facts = Campaign("0123456789abcdef", "p1", "hi", accepted=ready + submitted, parts=2 * (ready + submitted))
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


def test_without_the_ledger_all_that_was_taken_is_submitted() -> None:
    assert documents.campaign(view(submitted=3))["counts"] == view(submitted=3).counts


def test_the_rate_is_parts_per_second_and_the_eta_follows_from_it() -> None:
    told = documents.campaign(view(ready=50, submitted=100, first_us=10_000_000, last_us=20_000_000))
    assert told["rate"] == 20.0
    assert told["eta_seconds"] == 5.0
    assert told["cost"] == {"amount": "0.80", "currency": "USD"}


def test_where_nothing_moves_there_is_no_eta() -> None:
    assert documents.campaign(view(ready=50))["eta_seconds"] is None
    assert documents.campaign(view(ready=50, submitted=9, last_us=9, state="paused"))["eta_seconds"] is None
    assert documents.campaign(view(submitted=9, last_us=9))["eta_seconds"] == 0


def test_a_queue_tells_depth_age_rate_and_eta() -> None:
    waiting = view(ready=30, submitted=10)
    queue = ProfileView("p1", depth=30, oldest_us=1_000_000, rate=6.0, senders=4, allowed_rate=50.0)
    told = documents.queue(queue, [waiting], now_us=5_500_000)
    assert (told["depth"], told["oldest_age_seconds"], told["rate"], told["eta_seconds"]) == (30, 4.5, 6.0, 10.0)


def test_an_empty_queue_has_no_age_and_nothing_to_wait_for() -> None:
    told = documents.queue(ProfileView("p1", 0, 0, 0.0, 4, 50.0), [], now_us=5)
    assert (told["depth"], told["oldest_age_seconds"], told["eta_seconds"]) == (0, 0, 0)
