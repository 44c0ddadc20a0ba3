"""How fast a campaign goes, and when it will be through: what was sent of late, under what may be sent at all."""

from producer.sight.waits import waits_for
from volley.outbox.throughput import seconds
from volley.outbox.views import CampaignView, ProfileView

LATELY_US = 30_000_000
"""A profile's parts are counted in slots of 10 s, two whole ones: what they hold was sent within this."""


_NEVER_S = 10 * 366 * 86_400.0
"""A rest as long as this ends when a person ends it."""


def rate(view: CampaignView, profile: ProfileView) -> float:
    """Parts per second: of late while it goes, over its whole life once nothing of it is open.

    Parts are counted by profile: of several campaigns each has its share by weight.
    """
    if view.waiting + view.in_flight == 0:
        return average(view.sent_parts, view.first_us, view.last_us)
    if view.state != "ready" or view.last_us < profile.now_us - LATELY_US:
        return 0.0
    if view.first_us >= profile.now_us - LATELY_US:
        return average(view.sent_parts, view.first_us, view.last_us)
    return round(profile.rate * _share(view, profile), 3)


def eta(view: CampaignView, profile: ProfileView) -> float | None:
    """Seconds until its last part is sent; 0 when nothing waits, None while it may not go or nobody could send it.

    People who are pinned to fast senders go first, and fast: the recent rate alone would promise too much.
    """
    if not view.waiting:
        return 0
    if view.state != "ready" or view.stopped_by_budget:
        return None
    possible = allowed(view, profile) * _share(view, profile)
    time_s = _from_now(profile, seconds(parts_left(view), min(rate(view, profile) or possible, possible)))
    night_us = view.asleep_us if view.campaign.quiet_hours else 0
    starts_s = max(0, view.campaign.start_us - profile.now_us, night_us - profile.now_us) / 1e6
    return None if time_s is None else round(time_s + starts_s, 1)


def queue_eta(profile: ProfileView, campaigns: list[CampaignView]) -> float | None:
    """The same of what may go now of a whole queue; None while all that waits is paused or waits by its terms, or nobody could send it."""
    waiting = [view for view in campaigns if view.waiting]
    may = [view for view in waiting if view.state == "ready" and waits_for(view, profile.now_us) is None]
    going = sum(parts_left(view) for view in may if allowed(view, profile))
    if waiting and not going:
        return None
    if not going:
        return 0
    return _from_now(profile, seconds(going, min(profile.rate or profile.allowed_rate, profile.allowed_rate)))


def allowed(view: CampaignView, profile: ProfileView) -> float:
    """Parts per second that a campaign can reach if it is alone. One with a sender of its own has that one's rate."""
    limit = min(profile.limit, profile.mms_limit) if view.campaign.media else profile.limit
    limit = min(limit, view.campaign.rate_milli / 1000) if view.campaign.rate_milli else limit
    if view.campaign.sender is None:
        return min(profile.allowed_rate, limit)
    return min(profile.own_rates.get(view.campaign.sender, 0.0), limit)


def parts_left(view: CampaignView) -> float:
    """Parts that wait, from the campaign's average."""
    return view.waiting * view.campaign.parts / max(view.campaign.accepted, 1)


def average(parts: int, first_us: int, last_us: int) -> float:
    """Parts per second between the first and the last that went out."""
    between = (last_us - first_us) / 1e6
    return round(parts / between, 3) if between > 0 else 0.0


def _from_now(profile: ProfileView, time_s: float | None) -> float | None:
    """What takes so long once it may go, reckoned from now: a rest of the profile or the account comes first."""
    rests_s = max(0, profile.rests_until_us - profile.now_us) / 1e6
    return None if time_s is None or rests_s > _NEVER_S else round(time_s + rests_s, 1)


def _share(view: CampaignView, profile: ProfileView) -> float:
    """A campaign's part of what its profile sends, by weight among those that wait."""
    return view.campaign.weight / max(profile.weight, view.campaign.weight)
