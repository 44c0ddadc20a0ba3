"""What a campaign waits for by its own terms, in a sentence: nothing here is amiss, it goes on by itself or when somebody asks."""

from dataclasses import replace
from datetime import UTC, datetime
from time import time_ns

from volley.message import MessageId
from volley.money import amount
from volley.outbox.outbox import Outbox
from volley.outbox.views import CampaignView
from volley.outbox.whereabouts import Wait, wait_of
from volley.state import STATUS, State

_LONG_US = 2_000_000
"""One that waits for its cap wakes sooner."""
_NIGHT = "quiet hours"


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


async def message_wait(outbox: Outbox, place: MessageId) -> Wait:
    """What a message waits for: its campaign's terms, then where it stands itself. Raises TryAgainLater where Redis is away."""
    wait = await wait_of(outbox, place)
    view = await outbox.campaign(place.campaign) if wait.held and wait.state == STATUS[State.READY] else None
    now_us = time_ns() // 1000
    own = waits_for(view, now_us) if view is not None else None
    if view is None or own is None or (_NIGHT in own and _NIGHT in wait.why):
        return wait
    until_us = 0 if view.stopped_by_budget else max(wait.until_us, view.campaign.start_us, view.asleep_us)
    return replace(wait, why=f"its campaign waits for {own}; {wait.why}", until_us=until_us)


def _clock(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
