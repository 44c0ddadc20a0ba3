"""`why`: what a campaign, a message or a profile waits for, in words and numbers. Reads only, for one person's question."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from producer.sight import groups
from producer.sight.causes import Cause, Held, at_senders, before, clock, endless, flow, narrowest, parts_of, timed
from producer.sight.groups import Shared, shared
from producer.sight.pools import NO_POOL
from producer.sight.portrait import Standing
from producer.sight.sight import Scene, Sight
from producer.sight.standstill import reasons, without_hands
from producer.sight.waits import message_wait, waits_for
from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.message import parse_message_id
from volley.outbox import queued
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.outbox.throughput import own_rate
from volley.outbox.views import CampaignView
from volley.state import STATUS, State

Past = Callable[[str], Awaitable[str | None]]
"""How a campaign or a message ended that Redis does not hold, None where nobody knows it: past.py, with a ledger."""

_MOST_CAMPAIGNS = 5
_MOST_SENDERS = 20
"""So many of the longest lanes are looked at more closely."""


_OVER = Cause("over", "nothing of it waits: it is over")
_ENDLESS = frozenset({"rest", "sender_left", "unserved", "quiet_hours"})
"""Of what they hold nobody knows when the last of it goes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`about` what was asked; `waiting` messages that are ready; `ends` when the last of them is sent, if nothing new comes. `causes`:
    what holds all of them first, then the last to end."""

    about: str
    kind: str
    state: str
    waiting: int
    causes: tuple[Cause, ...]
    ends: str | None = None
    seconds: float | None = None


async def nobody(_what: str) -> None:
    """Without a ledger."""


async def why(sight: Sight, outbox: Outbox, what: str, past: Past = nobody) -> Answer:
    """Raises UnusableInput for what is none of the three; TryAgainLater where Redis is away. What `past` raises passes through."""
    with reaching():
        scene = await sight.scene(0)  # of what was pushed or paused a moment ago too
        if what in scene.profiles:
            return await _profile(outbox, scene, what)
        if "-" in what and len(what) < 36:
            return await _message(outbox, scene, what, past)
        mine = next((each for each in scene.everyone if each.view.campaign.id == what), None)
        if mine is not None:
            return await _campaign(outbox, scene, mine)
        view = await outbox.campaign(what)
    state = await past(what) if view is None else view.state
    if state is None:
        raise UnusableInput(
            f"{what[:40]!r} is no campaign, message or profile that is known here: see volley campaigns"
        )
    return Answer(what, "campaign", state, view.waiting if view else 0, _over(view) if view else (_OVER,))


async def _message(outbox: Outbox, scene: Scene, what: str, past: Past) -> Answer:
    wait = await message_wait(outbox, parse_message_id(what))
    ended = None if wait.held else await past(what)
    if ended not in (None, STATUS[State.READY]):
        return Answer(what, "message", str(ended), 0, (_OVER,))
    seconds = max(0.0, (wait.until_us - scene.seen.now_us) / 1e6) if wait.until_us else None
    cause = Cause("message", wait.why, int(wait.state == "ready"))
    if seconds is not None:
        cause = timed("message", wait.why, 1, scene.seen.now_us, seconds)
    return Answer(what, "message", wait.state, int(wait.state == "ready"), (cause,), cause.ends, cause.seconds)


async def _profile(outbox: Outbox, scene: Scene, name: str) -> Answer:
    mine = [each for each in scene.everyone if each.view.campaign.profile == name and each.view.waiting]
    answers = [await _campaign(outbox, scene, each) for each in mine[:_MOST_CAMPAIGNS]]
    common = _common(outbox, scene, mine)
    own = [
        Cause(
            cause.cause, f"campaign {each.about}: {cause.says}", cause.messages, cause.rate, cause.ends, cause.seconds
        )
        for each in answers
        for cause in each.causes
        if cause not in common
    ]
    if len(mine) > _MOST_CAMPAIGNS:
        own.append(Cause("more", f"{len(mine) - _MOST_CAMPAIGNS} more campaigns wait: volley why ID"))
    if not mine:
        own.append(Cause("nothing", "nothing of it waits"))
    last = max((each for each in answers if each.seconds is not None), key=lambda each: each.seconds or 0, default=None)
    known = last if last and len(answers) == len(mine) and all(each.seconds is not None for each in answers) else None
    waiting = sum(each.view.waiting for each in mine)
    ends, seconds = (known.ends, known.seconds) if known else (None, None)
    return Answer(name, "profile", "waiting" if mine else "idle", waiting, (*common, *own), ends, seconds)


def _common(outbox: Outbox, scene: Scene, mine: Sequence[Standing]) -> list[Cause]:
    """What holds everything: no worker, a ledger that is behind, the carrier, rests of the account and of these profiles."""
    names, waiting = {each.view.campaign.profile for each in mine}, sum(each.view.waiting for each in mine)
    wide = [rest for rest in scene.rests if rest.what not in ("sender", "group", "profile") or rest.name in names]
    says = reasons([], (), scene.seen.ledger_entries, outbox.ledger_bound, wide)
    found = [Cause("standstill", each, waiting) for each in says]
    if mine and (idle := without_hands(scene.workers)):
        found.insert(0, Cause("no_worker", idle, waiting))
    if scene.seen.held_until_us > scene.seen.now_us:
        found.append(
            Cause("hold", "another Redis server has come: workers tell it first what they did, for some seconds")
        )
    return found


def _stands(outbox: Outbox, scene: Scene) -> bool:
    """Whether nothing goes at all, and nobody knows until when."""
    seen = scene.seen
    behind = seen.ledger_entries > outbox.ledger_bound
    return seen.circuit is not None or "h" in seen.stops or behind or bool(without_hands(scene.workers))


async def _campaign(outbox: Outbox, scene: Scene, mine: Standing) -> Answer:
    view, now_us = mine.view, scene.seen.now_us
    if not view.waiting:
        return Answer(view.campaign.id, "campaign", view.state, 0, _over(view))
    causes = _common(outbox, scene, [mine])
    pool = scene.pools.of.get(view.campaign.profile, NO_POOL)
    causes += groups.rests(pool, scene.seen, view.campaign.sender, view.waiting)
    if view.state != "ready":
        causes.append(_stopped(mine))
        return Answer(
            view.campaign.id, "campaign", view.state, view.waiting, (*causes, *_rest(view, mine.waits.unserved))
        )
    own = waits_for(view, now_us)
    start_s = max(0.0, (max(view.campaign.start_us, view.asleep_us) - now_us) / 1e6)
    if own:
        name = "budget" if view.stopped_by_budget else "window"
        causes.append(Cause(name, f"{view.waiting:,} messages wait for {own}", view.waiting))
    elif mine.waits.window:
        says = f"{mine.waits.window:,} messages wait until the quiet hours of their people end ({view.campaign.quiet_hours})"
        causes.append(Cause("quiet_hours", says, mine.waits.window))
    lanes = await queued.lanes(outbox, view.campaign.id)
    held = await _held(outbox, scene, mine, lanes)
    profile = scene.profiles[view.campaign.profile]
    rests_s = max(0.0, (profile.rests_until_us - now_us) / 1e6)
    wait_s = max(start_s, rests_s)
    going = view.waiting - mine.waits.unserved - (0 if own else mine.waits.window)
    moving = _moving(scene, mine, held, going, wait_s)
    stands = _stands(outbox, scene) or view.stopped_by_budget
    causes += [
        *(endless(each) if stands else each for each in moving),
        *await _retries(outbox, mine, now_us),
        *_rest(view, mine.waits.unserved),
        *_expiry(mine, moving, now_us),
    ]
    last = moving[0] if moving and not stands and not any(cause.cause in _ENDLESS for cause in causes) else None
    ends, seconds = (last.ends, last.seconds) if last else (None, None)
    return Answer(view.campaign.id, "campaign", view.state, view.waiting, tuple(causes), ends, seconds)


def _moving(
    scene: Scene, mine: Standing, held: Sequence[tuple[Held, Shared | None]], going: int, wait_s: float
) -> list[Cause]:
    """What goes, and how fast, the last to end first."""
    view, now_us, share = mine.view, scene.seen.now_us, _share(scene, mine)
    account = int(scene.seen.rates[b"a"]) / 1000 if b"a" in scene.seen.rates else float("inf")
    pool = scene.pools.of.get(view.campaign.profile, NO_POOL)
    shared = groups.limits(pool, scene.pools, view.campaign.sender)
    place = narrowest(view, scene.profiles[view.campaign.profile], account, share, shared)
    moving = [flow(view, place, going, share, now_us, wait_s)] if going else []
    moving += at_senders([each for each, _ in held], now_us)
    moving += groups.together(held, now_us)
    return sorted(moving, key=lambda cause: -(cause.seconds if cause.seconds is not None else float("inf")))


def _stopped(mine: Standing) -> Cause:
    view = mine.view
    if view.state == "paused":
        because = f" ({view.paused_why})" if view.paused_why else ""
        return Cause("paused", f"it is paused{because}: volley campaigns resume {view.campaign.id}", view.waiting)
    return Cause("ending", f"it is {view.state}: {view.waiting:,} messages end so in a moment", view.waiting)


def _share(scene: Scene, mine: Standing) -> float:
    """Its part of what account and profile let through, by weight among those of its priority that may go now."""
    rivals = [
        each.view.campaign.weight
        for each in scene.everyone
        if each.waits.due and each.view.state == "ready" and each.view.campaign.priority == mine.view.campaign.priority
    ]
    return mine.view.campaign.weight / max(sum(rivals), mine.view.campaign.weight)


async def _held(
    outbox: Outbox, scene: Scene, mine: Standing, lanes: dict[str, int]
) -> list[tuple[Held, Shared | None]]:
    """What waits for single senders, those that end last, each with the registered campaign of its sender."""
    members = {member.index: member for member in scene.pools.everyone()}
    weights = {each.view.campaign.id: each.view.campaign.weight for each in scene.everyone}
    found = []
    for owner, refs in lanes.items():
        member = members.get(int(owner[1:])) if owner[0] == "s" else None
        if owner[0] == "s":
            rate = own_rate(member.sender, scene.pools.groups) if member and member.pooled else 0.0
            number = member.sender.number if member else f"sender {owner[1:]}"
            named = mine.view.campaign.sender is not None
            held = Held(number, refs, parts_of(mine.view, refs), rate, named=named)
            found.append((owner, held, shared(member, scene.pools, scene.seen)))
    found.sort(key=lambda each: -(each[1].seconds if each[1].seconds is not None else float("inf")))
    closer = [
        (await _closer(outbox, scene, mine, owner, held, group, weights), group)
        for owner, held, group in found[:_MOST_SENDERS]
    ]
    return [*closer, *((held, group) for _, held, group in found[_MOST_SENDERS:])]


async def _closer(
    outbox: Outbox,
    scene: Scene,
    mine: Standing,
    owner: str,
    held: Held,
    group: Shared | None,
    weights: dict[str, int],
) -> Held:
    stops = [stop for stop in (scene.seen.stops.get(owner), group and group.rest) if stop]
    stop = max(stops, key=lambda each: each.until_us, default=None)
    resting = stop is not None and stop.until_us > scene.seen.now_us
    rivals = await queued.rivals(outbox, mine.view.campaign.id, owner)
    others = before(mine.view, rivals, held.messages, weights)
    until_s = max(0.0, (stop.until_us - scene.seen.now_us) / 1e6) if stop else 0.0
    words = f"rests until {clock(scene.seen.now_us, until_s)} ({stop.reason})" if resting and stop else ""
    parts = held.parts + parts_of(mine.view, others)
    return Held(held.number, held.messages, parts, held.rate, until_s, words, held.named)


async def _retries(outbox: Outbox, mine: Standing, now_us: int) -> list[Cause]:
    if not mine.waits.retry:
        return []
    first_us = await queued.next_retry_us(outbox, mine.view.campaign.id)
    says = f"{mine.waits.retry:,} messages rest between two attempts"
    if first_us:
        says += f", the first until {clock(now_us, max(0.0, (first_us - now_us) / 1e6))}"
    return [Cause("retry", says, mine.waits.retry)]


def _rest(view: CampaignView, unserved: int = 0) -> list[Cause]:
    """What is not about to be sent, and what never became a message."""
    found = []
    if unserved:
        says = f"{unserved:,} messages go to countries that no sender of {view.campaign.profile} may serve"
        found.append(Cause("unserved", f"{says}: volley numbers doctor; they end as expired", unserved))
    if view.in_flight:
        found.append(Cause("in_flight", f"{view.in_flight:,} messages are being sent", view.in_flight))
    unknown = view.counts["unknown"]
    if unknown:
        says = f"of {unknown:,} messages nobody knows whether the carrier has them: volley campaigns unknown {view.campaign.id}"
        found.append(Cause("unknown", says, unknown))
    return [*found, *_left_out(view.campaign)]


def _over(view: CampaignView) -> tuple[Cause, ...]:
    """Of a campaign of which nothing waits."""
    open_ = view.in_flight or view.counts["unknown"]
    return (*(() if open_ else (_OVER,)), *_rest(view))


def _left_out(campaign: Campaign) -> list[Cause]:
    """Rows that are not among its messages, as somebody who counts them may wonder."""
    words = {
        "the same person again": campaign.duplicates,
        "opted out": campaign.opted_out,
        "cannot be sent (the rejects file says why)": campaign.rejected,
    }
    told = [f"{count:,} {name}" for name, count in words.items() if count]
    rows = campaign.accepted + sum(words.values())
    return [Cause("left_out", f"of its {rows:,} rows these are no messages: {', '.join(told)}")] if told else []


def _expiry(mine: Standing, moving: Sequence[Cause], now_us: int) -> list[Cause]:
    """Whether its time is over before the last of it is sent."""
    expires_s = (mine.view.campaign.expires_us - now_us) / 1e6
    late = [cause for cause in moving if cause.seconds and cause.seconds > expires_s]
    if mine.view.campaign.expires_us <= 0 or not late:
        return []
    lost = max(int(cause.messages * (1 - max(0.0, expires_s) / (cause.seconds or 1))) for cause in late)
    says = f"it expires {clock(now_us, max(0.0, expires_s))}: some {lost:,} messages will not be sent by then"
    return [Cause("expiry", says, lost)]
