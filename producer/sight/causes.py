"""What keeps messages waiting, each with how many it holds and when it ends: pure, from what a look has read.

An end is reckoned as if nothing new comes: what waits, over the rate that its narrowest place lets through.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from producer.sight.documents import moment
from producer.sight.pace import parts_left
from volley.outbox.queued import Rival
from volley.outbox.views import CampaignView, ProfileView

SHOWN = 3
"""So many senders are told one by one."""
_ENDS = ": ends "


@dataclass(frozen=True, slots=True)
class Cause:
    """`cause` is one of a fixed set of words; `messages` it holds; `rate` parts/s that it lets through; `ends` when it holds nothing
    more, None where nobody knows; `says` all of that for people."""

    cause: str
    says: str
    messages: int = 0
    rate: float | None = None
    ends: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What waits for one sender: refs of the campaign, and of others that go before or beside it, as parts. `wait_s`: it is granted
    nothing before."""

    number: str
    messages: int
    parts: float
    rate: float
    wait_s: float = 0.0
    resting: str = ""
    named: bool = False

    @property
    def seconds(self) -> float | None:
        return self.wait_s + self.parts / self.rate if self.rate > 0 else None


def clock(now_us: int, seconds: float) -> str:
    """The moment so many seconds from now, as people say it: the day too unless that is today (UTC)."""
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    then = datetime.fromtimestamp(min(now_us / 1e6 + seconds, 253_000_000_000), UTC)
    if seconds < 60:
        return f"{then:%H:%M:%S} UTC"
    return f"{then:%H:%M} UTC" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M} UTC"


def timed(cause: str, says: str, messages: int, now_us: int, seconds: float | None, rate: float | None = None) -> Cause:
    """A cause whose end is known, or not."""
    if seconds is None:
        return Cause(cause, f"{says}: nobody knows when that ends", messages, rate)
    ends = f"{says}{_ENDS}{clock(now_us, seconds)}"
    return Cause(cause, ends, messages, rate, moment(now_us + int(seconds * 1e6)), round(seconds, 1))


def endless(cause: Cause) -> Cause:
    """What would end then, if it went: only a person or the carrier knows when it does."""
    return replace(cause, says=cause.says.partition(_ENDS)[0], ends=None, seconds=None)


def at_senders(held: Sequence[Held], now_us: int) -> Iterator[Cause]:
    """Those who wait for one sender, the last to end first."""
    ordered = sorted(held, key=lambda each: -(each.seconds if each.seconds is not None else float("inf")))
    for each in ordered[:SHOWN]:
        how = "named for" if each.named else "pinned to"
        if each.resting:
            says = f"{each.messages:,} messages are {how} {each.number}, which {each.resting}"
            yield Cause("rest", says, each.messages, each.rate)
        elif each.rate <= 0:
            yield Cause(
                "sender_left",
                f"{each.messages:,} messages are {how} {each.number}, which is not in the pool",
                each.messages,
            )
        else:
            says = f"{each.messages:,} messages are {how} {each.number}, {each.rate:g}/s"
            yield timed("named" if each.named else "pinned", says, each.messages, now_us, each.seconds, each.rate)
    if len(ordered) > SHOWN:
        rest = ordered[SHOWN:]
        says = f"{sum(each.messages for each in rest):,} messages wait for {len(rest)} more senders"
        yield timed("pinned", says, sum(each.messages for each in rest), now_us, ordered[SHOWN].seconds)


Place = tuple[str, str, float]
"""(cause, in words, parts/s) of what lets something through."""


def narrowest(view: CampaignView, profile: ProfileView, account: float, share: float, groups: Iterable[Place]) -> Place:
    """What lets the least through of a campaign that competes for `share` of it. `groups`: the limits of registered campaigns."""
    fixed = view.campaign
    places = [(name, words, rate * share) for name, words, rate in groups]
    places.append(("account_rate", f"the account's {account:g}/s", account * share))
    if profile.limit < account:
        places.append(("profile_rate", f"the profile's {profile.limit:g}/s", profile.limit * share))
    if fixed.media:
        places.append(("mms_rate", f"the account's {profile.mms_limit:g} MMS a second", profile.mms_limit * share))
    if fixed.rate_milli:
        places.append(("campaign_rate", f"its own cap, {fixed.rate_milli / 1000:g}/s", fixed.rate_milli / 1000))
    if fixed.sender is None:
        pool = profile.allowed_rate
        places.append(("senders", f"its pool of {profile.senders} senders, {pool:g}/s", pool * share))
    return min(places, key=lambda place: place[2])


def flow(view: CampaignView, place: Place, going: int, share: float, now_us: int, wait_s: float) -> Cause:
    """All that goes by rates: how fast, and when the last of it is sent."""
    name, words, rate = place
    parts = going * view.campaign.parts / max(view.campaign.accepted, 1) or float(going)
    shared = (
        "" if share > 0.999 or name == "campaign_rate" else f", of which it has {rate:.3g}/s beside other campaigns"
    )
    says = f"{going:,} messages go at {words}{shared}"
    return timed(name, says, going, now_us, wait_s + parts / rate if rate > 0 else None, round(rate, 3))


def parts_of(view: CampaignView, messages: int) -> float:
    return messages * (parts_left(view) / view.waiting if view.waiting and view.campaign.parts else 1.0)


def before(view: CampaignView, rivals: Sequence[Rival], refs: int, weights: Mapping[str, int]) -> int:
    """Refs of others that leave a sender before the last of this campaign's does: urgent ones before bulk, else by weight."""
    urgent, mine = view.campaign.priority == "urgent", max(view.campaign.weight, 1)
    found = 0
    for rival in rivals:
        if rival.urgent == urgent:
            found += min(rival.refs, refs * weights.get(rival.campaign, 1) // mine)
        elif rival.urgent:
            found += rival.refs
    return found
