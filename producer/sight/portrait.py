"""From what a look has read to the facts: queues, campaigns and all together. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from producer.sight import pace
from producer.sight.documents import moment
from producer.sight.facts import CampaignFacts, Line, Money, QueueFacts, Waits
from producer.sight.looking import SLOTS, Seen
from producer.sight.pools import Pool
from producer.sight.waiting import oldest_due_us
from producer.sight.waits import waits_for
from volley.money import amount
from volley.outbox.views import CampaignView, ProfileView
from volley.sender import is_carrier_pool

MOST_CAMPAIGNS = 1_000
PRIORITIES = ("urgent", "bulk")
ACCOUNT, PROFILE = "a", "p"


class Standing(NamedTuple):
    """A live campaign, what is ready of it by what it waits for, and since when (µs) something of it is due (0: nothing is)."""

    view: CampaignView
    waits: Waits
    due_us: int


def standing(view: CampaignView, waits: Waits) -> Standing:
    return Standing(view, waits, oldest_due_us(view, waits))


def first_shown(standing: Standing) -> tuple[bool, int]:
    """The order in which campaigns are listed, the newest first: gathered messages behind all that were pushed as one."""
    return bool(standing.view.campaign.claims), -standing.view.sealed_us


def profile_view(name: str, seen: Seen, pool: Pool, mine: Sequence[Standing]) -> ProfileView:
    """A profile as pace.py asks for it."""
    index = seen.profiles.get(name, "")
    rates = seen.rates
    limits = [Decimal(int(rates[bucket])) / 1000 for bucket in (b"a", b"p" + index.encode()) if bucket in rates]
    waiting = [each for each in mine if each.view.waiting]
    return ProfileView(
        profile=name,
        depth=sum(each.view.waiting for each in waiting),
        oldest_us=min((each.view.sealed_us for each in waiting), default=0),
        rate=seen.tempo.get(index, 0) / (10 * SLOTS),
        senders=sum(not is_carrier_pool(number) for number in pool.own_rates),
        allowed_rate=round(float(min([pool.allowed_rate, *limits])), 3),
        campaigns=[each.view.campaign.id for each in mine],
        limit=float(min(limits, default=Decimal("inf"))),
        own_rates=pool.own_rates,
        weight=sum(each.view.campaign.weight for each in waiting if each.view.state == "ready"),
        now_us=seen.now_us,
        unserved=sum(each.waits.unserved for each in mine),
        mms_limit=int(rates[b"m"]) / 1000 if b"m" in rates else float("inf"),
        rests_until_us=max(
            (seen.stops[bucket].until_us for bucket in ("h", "a", "p" + index) if bucket in seen.stops), default=0
        ),
    )


def queue(profile: ProfileView, mine: Sequence[Standing], dead: int) -> QueueFacts:
    return replace(
        _queue(profile.profile, mine, profile.now_us),
        dead=dead,
        rate=profile.rate,
        allowed_rate=profile.allowed_rate,
        eta_seconds=pace.queue_eta(profile, [each.view for each in mine]),
        resting_until=moment(profile.rests_until_us) if profile.rests_until_us > profile.now_us else None,
    )


def total(queues: Sequence[QueueFacts], everyone: Sequence[Standing], seen: Seen, dead: int) -> QueueFacts:
    """All queues together: its rate may not be more than the account's, and it ends when the last queue does."""
    limit = int(seen.rates[b"a"]) / 1000 if b"a" in seen.rates else float("inf")
    ends = [each.eta_seconds for each in queues if each.ready]
    known = [end for end in ends if end is not None]
    rate = round(sum(each.rate for each in queues), 3)
    allowed = round(min(limit, sum(each.allowed_rate for each in queues)), 3)
    return replace(
        _queue("", everyone, seen.now_us),
        dead=dead,
        rate=rate,
        allowed_rate=allowed,
        eta_seconds=None if ends and not known else max([*known, _together(queues, allowed)], default=0),
    )


def _together(queues: Sequence[QueueFacts], allowed: float) -> float:
    """Seconds that the account needs for what is due in all queues; each alone may look faster."""
    due = sum(each.due for each in queues)
    return round(due / allowed, 1) if due and allowed else 0.0


def _queue(name: str, mine: Sequence[Standing], now_us: int) -> QueueFacts:
    """What is counted of some campaigns; rates are filled in by who knows them."""
    waits = sum((each.waits for each in mine), Waits())
    return QueueFacts(
        profile=name,
        ready=sum(each.view.waiting for each in mine),
        waits=waits,
        due=waits.due,
        oldest_due_seconds=_age(mine, now_us),
        lines={each: _line([one for one in mine if one.view.campaign.priority == each], now_us) for each in PRIORITIES},
        in_flight=sum(each.view.in_flight for each in mine),
        unknown=sum(each.view.counts["unknown"] for each in mine),
        dead=0,
        campaigns=len(mine),
        rate=0.0,
        allowed_rate=0.0,
        eta_seconds=None,
    )


def _line(mine: Sequence[Standing], now_us: int) -> Line:
    return Line(sum(each.waits.due for each in mine), _age(mine, now_us))


def _age(mine: Iterable[Standing], now_us: int) -> float | None:
    oldest_us = min((each.due_us for each in mine if each.due_us), default=0)
    return round(max(0, now_us - oldest_us) / 1e6, 1) if oldest_us else None


def campaign(each: Standing, profile: ProfileView) -> CampaignFacts:
    view, fixed = each.view, each.view.campaign
    return CampaignFacts(
        campaign_id=fixed.id,
        profile=fixed.profile,
        state=view.state,
        priority=fixed.priority,
        tags=fixed.tags,
        created=moment(fixed.created_us),
        accepted=fixed.accepted,
        counts=view.counts,
        waits=each.waits,
        oldest_due_seconds=_age([each], profile.now_us),
        parts=fixed.parts,
        sent_parts=view.sent_parts,
        rate=pace.rate(view, profile),
        eta_seconds=pace.eta(view, profile),
        estimated_cost=Money(amount(fixed.estimated_micros), fixed.currency),
        cost=Money(amount(spent_micros(view)), fixed.currency),
        budget=Money(amount(fixed.budget_micros), fixed.currency) if fixed.budget_micros else None,
        budget_left=_left(view),
        why=waits_for(view, profile.now_us) or view.paused_why,
    )


def _left(view: CampaignView) -> Money | None:
    left = view.budget_left_micros
    return None if left is None else Money(amount(left), view.campaign.currency)


def spent_micros(view: CampaignView) -> int:
    """What a campaign has cost so far: as the carrier said where it did, else as estimated for the parts that went."""
    if view.cost_micros or not view.campaign.parts:
        return view.cost_micros
    return view.campaign.estimated_micros * view.sent_parts // view.campaign.parts


def shortened(queues: Sequence[QueueFacts], most: int) -> list[QueueFacts]:
    """The deepest queues, and what the others hold together as one of the name «others»: a bounded number of names."""
    ordered = sorted(queues, key=lambda each: (-each.ready, each.profile))
    if len(ordered) <= most:
        return ordered
    rest = ordered[most - 1 :]
    others = replace(
        rest[0],
        profile="others",
        **{
            name: sum(getattr(each, name) for each in rest)
            for name in ("ready", "due", "in_flight", "unknown", "dead", "campaigns")
        },
        waits=sum((each.waits for each in rest), Waits()),
        oldest_due_seconds=_oldest(each.oldest_due_seconds for each in rest),
        lines={
            name: Line(
                sum(each.lines[name].due for each in rest),
                _oldest(each.lines[name].oldest_due_seconds for each in rest),
            )
            for name in PRIORITIES
        },
        rate=round(sum(each.rate for each in rest), 3),
        allowed_rate=round(sum(each.allowed_rate for each in rest), 3),
        eta_seconds=_oldest(each.eta_seconds for each in rest),
        resting_until=None,
    )
    return [*ordered[: most - 1], others]


def _oldest(ages: Iterable[float | None]) -> float | None:
    return max((age for age in ages if age is not None), default=None)


def by_profile(everyone: Iterable[Standing]) -> Mapping[str, list[Standing]]:
    found: dict[str, list[Standing]] = {}
    for each in everyone:
        found.setdefault(each.view.campaign.profile, []).append(each)
    return found
