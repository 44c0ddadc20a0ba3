"""What our pool makes of a profile's settings, and in words where that is not what the profile says. Pure."""

from collections.abc import Iterator
from decimal import InvalidOperation

from volley.carrier.edge import Profile
from volley.money import micros
from volley.profile import ProfileFacts
from volley.settings import Settings

_CARRIERS_PIN_DAYS = 8


def facts(profile: Profile, settings: Settings, *, now_us: int) -> ProfileFacts:
    """The profile as our pool follows it."""
    pool = profile.pool
    return ProfileFacts(
        id=profile.id,
        name=profile.name,
        enabled=profile.enabled,
        destinations=tuple(profile.whitelisted_destinations),
        sticky=sticky(profile, settings),
        geomatch=pool is not None and pool.geomatch,
        skip_unhealthy=pool is not None and pool.skip_unhealthy,
        smart_encoding=profile.smart_encoding,
        mobile_only=profile.mobile_only,
        spend_limit_micros=spend_limit_micros(profile),
        mms_fall_back_to_sms=profile.mms_fall_back_to_sms,
        mms_transcoding=profile.mms_transcoding,
        alpha_sender=profile.alpha_sender or "",
        synced_us=now_us,
        deviations=tuple(deviations(profile, settings)),
    )


def sticky(profile: Profile, settings: Settings) -> bool:
    """Whether people stay with their sender: as the settings say, else as the profile's pool, else yes."""
    if settings.sticky != "profile":
        return settings.sticky == "always"
    return profile.pool is None or profile.pool.sticky_sender


def spend_limit_micros(profile: Profile) -> int | None:
    """US dollars a day; None where there is no limit, or none that can be read."""
    if not profile.daily_spend_limit_enabled or profile.daily_spend_limit is None:
        return None
    try:
        return micros(profile.daily_spend_limit)
    except (InvalidOperation, ValueError, OverflowError):
        return None


def deviations(profile: Profile, settings: Settings) -> Iterator[str]:
    """A sentence for each thing that Volley's pool does otherwise than the carrier's would."""
    yield from _of_sticky(profile, settings)
    yield from _of_pins(profile, settings)
    yield from _of_weights(profile)
    if spend_limit_micros(profile) is not None:
        yield (
            f"the daily limit of {profile.daily_spend_limit} USD is enforced by the carrier (40333);"
            " Volley waits for the next day (UTC) once it is told so"
        )
    if profile.mobile_only:
        yield "the profile sends to mobile phones only: the carrier looks that up, Volley knows no more than number ranges"


def _of_sticky(profile: Profile, settings: Settings) -> Iterator[str]:
    ours = sticky(profile, settings)
    if profile.pool is None:
        does = "keeps people at their sender" if ours else "deals people anew each time"
        yield f"the profile's number pool is off; Volley's pool works all the same, and {does}"
    elif ours and not profile.pool.sticky_sender:
        yield "the profile's sticky sender is off, VOLLEY_STICKY=always keeps people at their sender"
    elif not ours and profile.pool.sticky_sender:
        yield "the profile's sticky sender is on, VOLLEY_STICKY=never deals people anew each time"


def _of_pins(profile: Profile, settings: Settings) -> Iterator[str]:
    carriers = "" if settings.pin_days == _CARRIERS_PIN_DAYS else f" ({_CARRIERS_PIN_DAYS} at the carrier)"
    yield f"pins are kept for {settings.pin_days} days here{carriers} and are not wiped when sticky is turned off"
    if profile.pool is not None and profile.pool.skip_unhealthy and settings.unhealthy_pins == "keep":
        yield "people pinned to an unhealthy number stay with it (VOLLEY_UNHEALTHY_PINS=keep); nobody new is dealt to it"


def _of_weights(profile: Profile) -> Iterator[str]:
    weights = profile.weights or {}
    if len([weight for weight in weights.values() if weight > 0]) > 1:
        yield "types of senders are dealt in turns in the ratio of their weights, not by chance"
    if weights and not any(weights.values()):
        yield "all weights are 0, with which the carrier's pool has nobody; here every type is in the pool"
