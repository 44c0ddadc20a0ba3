"""What a campaign waits for by its own terms, in a sentence: nothing here is amiss, it goes on by itself or when somebody asks."""

from datetime import UTC, datetime

from volley.money import amount
from volley.outbox.views import CampaignView

_LONG_US = 2_000_000
"""One that waits for its cap wakes sooner."""


def waits_for(view: CampaignView, now_us: int) -> str | None:
    """None where it waits for nothing of its own, or is over."""
    if view.state != "ready" or not view.waiting:
        return None
    if view.campaign.start_us > now_us:
        return f"its start at {_clock(view.campaign.start_us)}"
    if view.stopped_by_budget:
        return f"more budget ({amount(view.budget_left_micros or 0)} {view.campaign.currency} is left): volley campaigns set --budget"
    if view.campaign.quiet_hours and view.asleep_us > now_us + _LONG_US:
        return f"the end of its recipients' quiet hours ({view.campaign.quiet_hours}); it looks again at {_clock(view.asleep_us)}"
    return None


def _clock(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
