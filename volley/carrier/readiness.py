"""Whether a number can send now, to where, and if not, why and what to do. Pure: facts in, a judgement out.

The same judgement is what `volley numbers doctor` prints and what keeps a number out of the pool.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from volley.carrier.alphanumeric import is_alphanumeric, keeps_rules
from volley.carrier.capability import Capability, Subject, capability
from volley.carrier.causes import Finding, finding
from volley.carrier.edge import AlphanumericId, Number, Profile
from volley.carrier.reach import EVERYWHERE, NOWHERE, both, either, only, words
from volley.carrier.registrations import Registrations
from volley.sender import SenderType

_SHORT_CODE = re.compile(r"\d{3,8}")
_FOR_THE_US = frozenset({"campaign_missing", "campaign_pending", "campaign_failed"})
"""They close the US and no more; where nothing else is whitelisted they close everything."""
_FILTERED_SPAM = 0.25
"""From here on the spam ratio is worth a word; Telnyx calls a number unhealthy beyond 0.75."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Our own settings: by country which types send there (`*` for all others), and who refuses alphanumeric senders."""

    routes: Mapping[str, tuple[SenderType, ...]] = field(default_factory=dict)
    alphanumeric_refused: tuple[str, ...] = ("US", "CA", "PR")


@dataclass(frozen=True, slots=True)
class Readiness:
    """`reach` is where it can send now, whitelist and fallback included; `own_reach` leaves both out. As in volley/sender.py.

    `campaign` has the ids of the 10DLC campaign whose limit it shares; `fallback` is an alphanumeric ID's US number.
    """

    number: str
    type: SenderType
    ready: bool
    reach: str
    findings: tuple[Finding, ...] = ()
    country: str = ""
    own_reach: str = EVERYWHERE
    mms: bool = False
    fallback: str = ""
    campaign: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.blocking)

    @property
    def reason(self) -> str:
        """Why it is not ready, in a sentence; empty where it is."""
        return self.blocking[0].says if self.blocking else ""


def judge(
    row: Subject, profile: Profile | None, registrations: Registrations, rules: Rules, *, asked: str = ""
) -> Readiness:
    """`profile` is the one that the number is assigned to, None where there is none; `asked` the one it is to send for."""
    own = capability(row, registrations, rules.alphanumeric_refused)
    found = [*own.findings, *_standing(row, profile, asked), *_health(row, profile)]
    reach = own.reach
    if profile is not None and own.reach != NOWHERE:
        home = "US" if own.fallback else ""
        reach = both(either(own.reach, home), only(profile.whitelisted_destinations))
        if reach == NOWHERE and profile.allows("US"):
            found = [replace(each, blocking=True) if each.cause in _FOR_THE_US else each for each in found]
        found += _settings(own, profile, reach, rules, settled=any(each.blocking for each in found))
    ready = not any(each.blocking for each in found)
    return Readiness(
        number=own.number,
        type=own.type,
        ready=ready,
        reach=reach if ready else NOWHERE,
        findings=tuple(sorted(found, key=lambda each: not each.blocking)),
        country=own.country,
        own_reach=own.reach,
        mms=own.mms,
        fallback=own.fallback,
        campaign=own.campaign,
    )


def absent(number: str) -> Readiness:
    """A number, short code or alphanumeric ID that is in none of the account's lists."""
    kind, cause = _kind_of_absent(number)
    return Readiness(number, kind, False, NOWHERE, (finding(cause),), own_reach=NOWHERE)


def _kind_of_absent(number: str) -> tuple[SenderType, str]:
    if is_alphanumeric(number):
        valid = keeps_rules(number)
        return "alphanumeric", "alphanumeric_unregistered" if valid else "alphanumeric_invalid"
    if _SHORT_CODE.fullmatch(number):
        return "short_code", "short_code_unprovisioned"
    return "long_code", "not_found"


def _standing(row: Subject, profile: Profile | None, asked: str) -> Iterator[Finding]:
    """How it stands to its profile, and that to the one that was asked for."""
    held = row.messaging_profile_id or (profile.id if profile else "")
    if not held:
        alphanumeric = isinstance(row, AlphanumericId)
        yield finding("alphanumeric_unregistered" if alphanumeric else "no_profile")
    elif asked and held != asked:
        yield finding("other_profile", profile=held[:60])
    elif profile is None or profile.id != held:
        yield finding("profile_gone", profile=held[:60])


def _health(row: Subject, profile: Profile | None) -> Iterator[Finding]:
    health = row.health if isinstance(row, Number) else None
    if health is None or health.message_count <= 0:
        return
    if health.bad:
        skipped = profile is not None and profile.pool is not None and profile.pool.skip_unhealthy
        said = ", and the profile skips unhealthy numbers" if skipped else ""
        success, spam, count = health.success_ratio, health.spam_ratio, health.message_count
        yield finding("unhealthy", blocking=skipped, success=success, spam=spam, count=count, consequence=said)
    elif health.spam_ratio >= _FILTERED_SPAM:
        yield finding("filtered", spam=health.spam_ratio)


def _settings(own: Capability, profile: Profile, reach: str, rules: Rules, *, settled: bool) -> Iterator[Finding]:
    if not profile.enabled:
        yield finding("profile_disabled")
    if not profile.whitelisted_destinations:
        yield finding("no_destinations")
    elif own.type == "alphanumeric":
        yield from _refused(own, profile, reach, rules)
    elif (reach == NOWHERE and not settled) or (own.country and not profile.allows(own.country)):
        where = words(own.reach) if reach == NOWHERE else own.country
        yield finding("destination_not_whitelisted", blocking=reach == NOWHERE, where=f"{where}:")
    elsewhere = _routed_elsewhere(own.type, rules)
    if elsewhere:
        yield finding("routed_elsewhere", where=elsewhere)
    if own.type != "alphanumeric":
        yield from _webhook(profile)


def _refused(own: Capability, profile: Profile, reach: str, rules: Rules) -> Iterator[Finding]:
    listed = sorted(country for country in rules.alphanumeric_refused if profile.allows(country))
    if listed:
        fallback = "; its fallback sends to the US in its place" if own.fallback else ""
        yield finding("alphanumeric_refused", blocking=reach == NOWHERE, where=", ".join(listed), fallback=fallback)


def _routed_elsewhere(kind: SenderType, rules: Rules) -> str:
    countries = sorted(country for country, types in rules.routes.items() if kind not in types)
    return ", ".join("all other countries" if country == "*" else country for country in countries)


def _webhook(profile: Profile) -> Iterator[Finding]:
    if not profile.webhook_url:
        yield finding("no_webhook")
    elif profile.webhook_api_version != "2":
        yield finding("webhook_version", version=profile.webhook_api_version[:20])
