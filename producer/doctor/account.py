"""The carrier's side: is the key taken, how far away is it, what time is it there, and do the profiles fit."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout

from producer.doctor.verdict import Verdict, failed, ok, warning
from producer.pool.checkup import checkup
from producer.pool.facts import facts as follow
from volley.carrier import profiles_api
from volley.carrier.api import Missing, TelnyxApi
from volley.carrier.edge import Profile
from volley.carrier.telnyx import base, session_headers
from volley.errors import TryAgainLater, VolleyError
from volley.outbox.outbox import Outbox
from volley.profile import ProfileFacts
from volley.settings import Account, Settings

_TIMEOUT_S = 10.0
_SLOW_S = 1.0
_SKEW_S, _WORST_SKEW_S = 5.0, 120.0
"""Webhooks are refused at 300 s, and every one on its way takes time too."""
_OLD_SYNC_S = 86_400
_SYNC = "volley numbers sync --profile {}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One GET to the carrier. `skew_s`: its clock minus ours, None where it does not tell the time."""

    status: int
    latency_s: float
    skew_s: float | None


async def ask(account: Account) -> Answer | str:
    """What the carrier says to the smallest question that needs a key; a word about what went wrong on the way."""
    key = account.api_key.get_secret_value() if account.api_key else ""
    url = base(account.base_url) / "messaging_profiles"
    try:
        async with ClientSession(headers=session_headers(key), timeout=ClientTimeout(total=_TIMEOUT_S)) as session:
            before, started = time.time(), time.monotonic()
            async with session.get(url, params={"page[size]": "1"}, allow_redirects=False) as answer:
                await answer.read()
                latency_s = time.monotonic() - started
                return Answer(answer.status, latency_s, _skew(answer.headers.get("Date", ""), before + latency_s / 2))
    except (ClientError, OSError) as error:
        return type(error).__name__
    except VolleyError as error:
        return str(error)


def key(answer: Answer | str, account: Account) -> Verdict:
    """API key set and accepted."""
    todo = "set TELNYX_API_KEY to a key of this account (portal, API keys)"
    if account.api_key is None:
        return failed("API key", "TELNYX_API_KEY is not set", todo)
    if isinstance(answer, str):
        return warning("API key", "set; whether it is taken is not known, as the carrier did not answer", "see carrier")
    if answer.status in (401, 403):
        return failed("API key", f"the carrier refuses it (HTTP {answer.status})", todo)
    return ok("API key", "set, and the carrier takes it")


def reachable(answer: Answer | str) -> Verdict:
    if isinstance(answer, str):
        return failed("carrier", f"no answer ({answer})", "see TELNYX_BASE_URL, DNS, firewall and status.telnyx.com")
    if answer.status >= 500 or answer.status == 404:
        return failed("carrier", f"HTTP {answer.status}", "see TELNYX_BASE_URL and status.telnyx.com")
    took = f"answers in {answer.latency_s * 1000:.0f} ms"
    if answer.latency_s > _SLOW_S:
        return warning("carrier", took, "raise VOLLEY_CONCURRENCY, or run workers nearer to it")
    return ok("carrier", took)


def clock(answer: Answer | str) -> Verdict | None:
    """None where the carrier did not say what time it is."""
    skew_s = None if isinstance(answer, str) else answer.skew_s
    return None if skew_s is None else judge_clock("clock", "the carrier", skew_s)


def judge_clock(check: str, whose: str, skew_s: float) -> Verdict:
    """`skew_s`: their clock minus ours, good to a second."""
    if abs(skew_s) <= _SKEW_S:
        return ok(check, f"{whose} and this machine agree within {_SKEW_S:.0f} s")
    found = f"this machine is {abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead of'} {whose}"
    say = failed if abs(skew_s) > _WORST_SKEW_S else warning
    return say(check, found, "run NTP (chrony, systemd-timesyncd) on every machine; webhooks are refused at 300 s")


def _skew(date: str, our_s: float) -> float | None:
    try:
        # the header is cut to the second
        return parsedate_to_datetime(date).timestamp() + 0.5 - our_s
    except ValueError:
        return None


async def profiles(api: TelnyxApi, outbox: Outbox, settings: Settings) -> AsyncIterator[Verdict]:
    """Every profile that Redis knows, as the carrier has it now."""
    known = sorted(each.decode() for each in await outbox.redis.hgetall(outbox.keys.of("profile")))
    if not known:
        yield warning("profiles", "no profile is known", _SYNC.format("ID"))
    for profile_id in known:
        try:
            found = await profiles_api.profile(api, profile_id)
        except TryAgainLater as error:
            yield failed(f"profile {profile_id}", str(error), "see carrier, above")
            continue
        except Missing as error:
            yield await gone(outbox, profile_id, str(error))
            continue
        except VolleyError as error:
            yield failed(f"profile {profile_id}", str(error), "see carrier and API key")
            continue
        yield enabled(found)
        yield webhook(found, settings)
        yield synced(found, settings, await outbox.facts(profile_id), time.time())
        yield await numbers(api, settings, profile_id)


async def gone(outbox: Outbox, profile_id: str, why: str) -> Verdict:
    """The carrier has it no longer: no fault once nothing of it can send here."""
    check, view = f"profile {profile_id}", await outbox.profile(profile_id)
    if not view.senders and not view.depth:
        return ok(check, "the carrier has it no longer, and nothing here sends with it")
    todo = (
        f"see that TELNYX_API_KEY is of its account; if it was deleted: volley profiles delete {profile_id},"
        " and volley campaigns cancel for what waits"
    )
    return failed(check, f"{why}; {view.senders} senders and {view.depth} messages of it are here", todo)


def enabled(profile: Profile) -> Verdict:
    check = f"profile {profile.id}"
    if not profile.enabled:
        return failed(
            check, "is disabled: the carrier refuses every message", f"volley profiles update {profile.id} --enabled"
        )
    if not profile.whitelisted_destinations:
        todo = f"volley profiles update {profile.id} --destination US, once for each country that you send to"
        return failed(check, "has no whitelisted destinations: nothing can be sent", todo)
    return ok(check, f"enabled, sends to {', '.join(profile.whitelisted_destinations[:12])}")


def webhook(profile: Profile, settings: Settings) -> Verdict:
    """Receipts have an address of their own; what people text goes to the profile's."""
    check = f"profile {profile.id}: webhooks"
    if profile.webhook_api_version != "2":
        return failed(
            check,
            f"come in API version {profile.webhook_api_version}, which Volley does not read",
            "set it to 2 in the portal",
        )
    if not settings.public_url:
        return ok(check, "API version 2; VOLLEY_PUBLIC_URL is not set, so none is expected")
    ours = f"{settings.public_url}/webhooks/telnyx/{settings.account}"
    if (profile.webhook_url or "").split("?")[0] != ours:
        todo = f"volley profiles update {profile.id} --webhook-url {ours}"
        return warning(check, "go elsewhere: texts and STOP words of people do not reach Volley", todo)
    return ok(check, "API version 2, to this Volley")


def synced(profile: Profile, settings: Settings, facts: ProfileFacts | None, now_s: float) -> Verdict:
    check, todo = f"profile {profile.id}: sync", _SYNC.format(profile.id)
    if facts is None:
        return warning(check, "its settings were never read", todo)
    age_s = now_s - facts.synced_us / 1e6
    age = f"{age_s / 3600:.1f} h ago"
    if follow(profile, settings, now_us=facts.synced_us) != facts:
        return warning(check, f"the profile, or a setting of ours about it, has changed since it was read {age}", todo)
    if age_s > _OLD_SYNC_S:
        return warning(check, f"numbers and settings were read {age}", todo)
    return ok(check, "; ".join([f"read {age}", *facts.deviations]))


async def numbers(api: TelnyxApi, settings: Settings, profile_id: str) -> Verdict:
    """How many cannot send, and why most of them."""
    check, todo = f"profile {profile_id}: numbers", f"volley numbers doctor --profile {profile_id} tells of each"
    reasons: dict[str, int] = {}
    total = 0
    try:
        async for judged in checkup(api, settings, profile_id=profile_id):
            total += 1
            if not judged.ready:
                reasons[judged.reason] = reasons.get(judged.reason, 0) + 1
    except VolleyError as error:
        return failed(check, str(error), "see carrier and API key")
    bad = sum(reasons.values())
    if bad == total:
        return failed(check, f"none of its {total} can send: {_commonest(reasons)}", todo)
    if bad:
        return warning(check, f"{bad} of {total} cannot send: {_commonest(reasons)}", todo)
    return ok(check, f"all {total} can send")


def _commonest(reasons: dict[str, int]) -> str:
    return max(reasons, key=lambda reason: reasons[reason], default="it has none")
