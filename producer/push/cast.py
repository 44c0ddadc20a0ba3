"""Who of a profile's pool may serve a push, and whom: decided before the first row. Refuses a push that nobody could send."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from producer.push.absence import absence
from producer.push.request import PushRequest
from producer.push.rules import MMS_COUNTRIES
from volley.errors import RefusedByPolicy, UnusableInput
from volley.numbers import NotSendable, e164, parse
from volley.outbox.outbox import Outbox
from volley.outbox.router import Router
from volley.prefixes import first_prefix
from volley.profile import ProfileFacts
from volley.sender import Sender
from volley.settings import Settings
from volley.text.media import with_links
from volley.text.template import literal


@dataclass(frozen=True, slots=True)
class Cast:
    """The request as the pool makes it, and who serves it.

    `sender` is the one that the campaign names (a number, an alphanumeric ID, or what stands for the carrier's pool), None
    where our pool chooses. `paced` are those that set its rate, `serving` those that set its price and reach. `refused` are
    countries that the `fallback` serves in the sender's place. `by_text`: who can get no MMS gets a text with links.
    """

    request: PushRequest
    sender: str | None
    paced: tuple[Sender, ...]
    serving: tuple[Sender, ...]
    facts: ProfileFacts | None = None
    fallback: Sender | None = None
    refused: frozenset[str] = frozenset()
    router: Router | None = None
    routed: bool = False
    by_text: bool = False
    notes: tuple[str, ...] = ()

    def serves(self, home: str) -> list[Sender]:
        """Those who may send to a country (ISO 3166-1 alpha-2)."""
        if home in self.refused:
            return [self.fallback] if self.fallback is not None and self.fallback.reaches(home) else []
        able = (each for each in self.serving if each.reaches(home))
        if self.router is None:
            return list(able)
        types = self.router.types(int(first_prefix(home) or 0))
        return [each for each in able if each.type in types]

    def refusal(self, home: str) -> str:
        """Why nothing is sent to a country; '' where it is."""
        where = home or "a number of no country"
        if self.facts is not None and not self.facts.allows(home):
            return f"the profile does not allow {where} (its whitelisted destinations)"
        if self.serves(home):
            return ""
        if home in self.refused:
            return f"alphanumeric senders may not send to {where}, and there is no fallback number that may"
        return (
            f"nobody in the pool may send to {where}" if self.sender is None else f"the sender may not send to {where}"
        )

    @property
    def unbound(self) -> bool:
        """Whether every country is served alike, so that no row needs a look at its own."""
        everywhere = all(sender.reach == "*" for sender in self.serving)
        allowed = self.facts is None or ("*" in self.facts.destinations and not self.facts.mobile_only)
        return everywhere and allowed and not self.routed and not self.refused


async def choose(outbox: Outbox, settings: Settings, request: PushRequest) -> Cast:
    """Raises UnusableInput or RefusedByPolicy where nobody could send this push; says what to do."""
    sync = f"run `volley numbers sync --profile {request.profile}`"
    pool = [view.sender for view in await outbox.senders(request.profile)]
    if not pool:
        raise UnusableInput(f"profile {request.profile} is not known here, or has no numbers: {sync}")
    facts = await outbox.facts(request.profile)
    if facts is not None and not facts.enabled:
        raise RefusedByPolicy(
            f"profile {request.profile} is disabled at the carrier: enable it (volley profiles update), then {sync}"
        )
    usable = [sender for sender in pool if sender.active]
    smart = bool(facts and facts.smart_encoding) if request.smart_encoding is None else request.smart_encoding
    request = replace(request, smart_encoding=smart)
    if request.carrier_pool:
        cast = _carriers(request, pool, usable, sync)
    elif request.sender is not None:
        found = _found(request.sender, request.region, usable)
        if found is None:
            raise await absence(outbox, request.profile, request.sender, request.region)
        cast = _named(request, found, usable, settings.alphanumeric_refused, sync)
    else:
        cast = _pooled(request, pool, usable, sync)
        cast = replace(cast, router=await outbox.router(request.profile), routed=bool(settings.routes))
        if cast.unbound and not cast.serves("US"):
            raise UnusableInput(
                f"the pool of profile {request.profile} is for pushes that name their sender: give --from"
            )
    return _media(replace(cast, facts=facts)) if request.media else replace(cast, facts=facts)


def _pooled(request: PushRequest, pool: list[Sender], usable: list[Sender], sync: str) -> Cast:
    ours = tuple(_ours(usable))
    if not ours:
        why = next((sender.reason for sender in _ours(pool)), "it has none")
        raise UnusableInput(f"profile {request.profile} has no number that may send ({why}): {sync}")
    return Cast(request, None, ours, ours)


def _ours(senders: Iterable[Sender]) -> Iterable[Sender]:
    return (sender for sender in senders if sender.type != "carrier_pool")


def _carriers(request: PushRequest, pool: list[Sender], usable: list[Sender], sync: str) -> Cast:
    stands = next((sender for sender in pool if sender.type == "carrier_pool"), None)
    if stands is None or not stands.active:
        why = stands.reason if stands and stands.reason else "it is not known here, or is off"
        raise UnusableInput(f"the carrier's number pool of profile {request.profile} cannot send ({why}): {sync}")
    members = tuple(sender for sender in usable if sender.type in ("long_code", "toll_free"))
    return Cast(request, stands.number, (stands,), members or (stands,))


def _named(request: PushRequest, found: Sender, usable: list[Sender], refusing: Iterable[str], sync: str) -> Cast:
    request = replace(request, sender=found.number)
    if found.type != "alphanumeric":
        return Cast(request, found.number, (found,), (found,))
    fallback = _fallback(request, found, usable, sync)
    return Cast(request, found.number, (found,), (found,), fallback=fallback, refused=frozenset(refusing))


def _fallback(request: PushRequest, sender: Sender, usable: list[Sender], sync: str) -> Sender | None:
    """The number that was given, or the ID's own at the carrier."""
    numbers = [each for each in usable if each.type not in ("alphanumeric", "carrier_pool")]
    if request.fallback is None:
        return _found(sender.fallback, None, numbers) if sender.fallback else None
    found = _found(request.fallback, request.region, numbers)
    if found is None:
        raise UnusableInput(f"fallback {request.fallback} is no number of the pool of {request.profile}: {sync}")
    return found


def _found(name: str, region: str | None, senders: list[Sender]) -> Sender | None:
    spellings = {name, _spelled(name, region)}
    return next((sender for sender in senders if sender.number in spellings), None)


def _spelled(sender: str, region: str | None) -> str:
    try:
        return e164(parse(sender, region))
    except NotSendable:
        return sender


def _media(cast: Cast) -> Cast:
    """Whoever may get an MMS must be able to send one. Where nobody can, all of it goes as text, if that is wished."""
    request = cast.request
    wish = request.mms_fallback
    by_text = wish == "sms" if wish is not None else bool(cast.facts and cast.facts.mms_fall_back_to_sms)
    theirs = {sender.number: sender for home in MMS_COUNTRIES for sender in cast.serves(home)}
    unable = [number for number, sender in theirs.items() if not sender.mms]
    if len(unable) < len(theirs) and (not unable or request.carrier_pool):
        return replace(cast, by_text=by_text)
    if len(unable) < len(theirs):
        raise UnusableInput(
            f"{len(unable)} of {len(theirs)} numbers of the pool that serve {' and '.join(MMS_COUNTRIES)} cannot send MMS"
            f" ({', '.join(unable[:3])}): name one that can with --from, give --carrier-pool, or unassign them"
        )
    if not by_text:
        who = "no number of the pool can" if cast.sender is None else "the sender cannot"
        raise UnusableInput(
            f"{who} send MMS: give --mms-fallback sms for texts with links, or run `volley numbers sync` if that has changed"
        )
    return replace(cast, request=_linked(request), notes=("nobody can send MMS: all go as texts with links",))


def _linked(request: PushRequest) -> PushRequest:
    links = request.media
    template = request.template
    if template is not None:
        return replace(request, template=with_links(template, [literal(link) for link in links]), media=(), subject="")
    return replace(request, text=with_links(request.text or "", links), media=(), subject="")
