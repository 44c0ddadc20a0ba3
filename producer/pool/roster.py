"""What was judged, as the senders of our pool: who is in, who serves only those pinned to it, and the carrier's pool. Pure."""

from dataclasses import dataclass, replace

from producer.pool.members import Members
from volley.carrier.edge import Profile
from volley.carrier.readiness import Readiness
from volley.outbox.throughput import effective
from volley.rates import Rates
from volley.sender import Sender, carrier_pool
from volley.settings import Settings


@dataclass(frozen=True, slots=True)
class Roster:
    """`senders` are all, the carrier's pool among them; `usable` may serve anybody, `kept` only those pinned to them."""

    senders: tuple[Sender, ...]
    usable: tuple[Sender, ...]
    kept: tuple[Sender, ...]
    not_ready: tuple[Readiness, ...]


def enrolled(found: Members, settings: Settings, rates: Rates) -> Roster:
    """The rates are those of the settings, parts per second and sender."""
    keep = settings.unhealthy_pins == "keep"
    own = tuple(sender(each, found.profile, rates, keep_unhealthy=keep) for each in found.judged)
    usable = tuple(each for each in own if each.active and not each.kept)
    return Roster(
        senders=(*own, pool_sender(found.profile, usable, rates)),
        usable=usable,
        kept=tuple(each for each in own if each.kept),
        not_ready=tuple(each for each, made in zip(found.judged, own, strict=True) if not made.active),
    )


def sender(found: Readiness, profile: Profile, rates: Rates, *, keep_unhealthy: bool) -> Sender:
    """A number as a sender of this profile. What is not ready is not active; the whitelist is the profile's, not its reach."""
    kept = keep_unhealthy and {each.cause for each in found.blocking} == {"unhealthy"}
    return Sender(
        number=found.number,
        type=found.type,
        profile=profile.id,
        country=found.country,
        rate_milli=max(int(rates.of(found.number, found.type) * 1000), 1),
        group=_group(found, rates),
        active=found.ready or kept,
        reason=found.reason,
        reach=found.own_reach,
        mms=found.mms,
        fallback=found.fallback,
        kept=kept,
    )


def pool_sender(profile: Profile, usable: tuple[Sender, ...], rates: Rates) -> Sender:
    """The carrier's own number pool, there only where the profile has it on.

    It deals messages to types by their weights, so it is as fast as lets no type have more than its numbers may send.
    """
    made = Sender(carrier_pool(profile.id), "carrier_pool", profile.id, rate_milli=1)
    if not profile.weights:
        return replace(made, active=False, reason="the profile's number pool is off: volley profiles update ID --pool")
    chosen = [each for each in usable if profile.weights.get(each.type, 0) > 0]
    if not chosen:
        return replace(made, active=False, reason="no usable number of a type with a weight is in the carrier's pool")
    shares = {str(kind): weight for kind, weight in profile.weights.items() if kind in {each.type for each in chosen}}
    return replace(
        made, rate_milli=int(effective(shares, chosen, (), rates.campaign) * 1000), mms=all(each.mms for each in chosen)
    )


def _group(found: Readiness, rates: Rates) -> str:
    """The 10DLC campaign under the id by which the settings have a rate for it, else by the carrier's."""
    named = [each for each in found.campaign if each in rates.campaign]
    return next(iter([*named, *found.campaign]), "")
