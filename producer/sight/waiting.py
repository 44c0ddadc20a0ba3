"""What the ready messages of a campaign wait for, from counters alone. Pure: no lane is walked, and the sum is always right."""

from producer.sight.facts import Waits
from volley.outbox.depths import Depth
from volley.outbox.views import CampaignView


def waits(view: CampaignView, depth: Depth, retries: int, closed: int, now_us: int) -> Waits:
    """Adds up to what is ready of it. `closed`: messages whose window opens later, though the campaign goes on."""
    ready = view.waiting
    if not ready:
        return Waits()
    if view.state == "paused":
        return Waits(paused=ready)
    if view.state in ("cancelled", "expired"):
        return Waits(ending=ready)
    if max(view.campaign.start_us, view.asleep_us) > now_us:
        return Waits(window=ready)
    if view.stopped_by_budget:
        return Waits(budget=ready)
    unserved = min(ready, max(0, depth.nobody))
    retry = min(ready - unserved, retries)
    window = min(ready - unserved - retry, closed)
    left = ready - unserved - retry - window
    pinned = min(left, max(0, depth.own))
    return Waits(rate=left - pinned, pinned=pinned, retry=retry, window=window, unserved=unserved)


def oldest_due_us(view: CampaignView, waits: Waits) -> int:
    """Since when the oldest of what is due of a campaign has been so; 0 where nothing is."""
    return max(view.sealed_us, view.campaign.start_us) if waits.due else 0
