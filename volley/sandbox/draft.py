"""A send, checked as Telnyx checks it: sender, profile, recipient, content, parts. What is wrong is a Refusal with its code."""

import re
import time
from typing import NamedTuple

from volley.campaign import Encoding
from volley.numbers import country
from volley.sandbox.accepted import Odd
from volley.sandbox.config import SandboxConfig
from volley.sandbox.endpoints import MESSAGES, Endpoint
from volley.sandbox.media import MediaDesk, as_text
from volley.sandbox.moments import read_moment
from volley.sandbox.numbers import Numbers
from volley.sandbox.pool import SandboxNumber, SandboxProfile
from volley.sandbox.replies import Refusal
from volley.text.parts import MAX_PARTS, NotEncodable, measure
from volley.text.smart import smart

_TO = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}").fullmatch
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}").fullmatch
_NO_ALPHANUMERIC = ("US", "CA", "PR")
_MAX_URL = 2000
_ENCODINGS: dict[object, Encoding] = {"auto": "auto", "gsm7": "gsm7", "ucs2": "ucs2"}


class Content(NamedTuple):
    encoding: str
    parts: int
    smart: bool


class Draft(NamedTuple):
    """A send that is in order. `webhook_url` and its failover are resolved: the message's own, else the profile's.

    `standby` are the URLs that are tried after the first; empty: only the failover is. `odd`: what is unusual about the message.
    """

    number: SandboxNumber
    profile: SandboxProfile
    to: str
    text: str
    content: Content
    webhook_url: str
    webhook_failover_url: str
    media: list[str]
    subject: str | None
    standby: tuple[str, ...]
    odd: Odd | None


class Desk:
    """Turns the body of a send into a Draft."""

    def __init__(self, config: SandboxConfig, numbers: Numbers) -> None:
        self._numbers = numbers
        self._content = _Counter(config)
        self._media = MediaDesk(config)
        self._schedule_us = int(config.schedule_min_s * 1e6), int(config.schedule_max_s * 1e6)

    def check(self, body: dict[str, object], endpoint: Endpoint = MESSAGES) -> Draft:
        """Raises Refusal."""
        if endpoint is not MESSAGES:
            endpoint.check(body)
        to = body.get("to")
        if not isinstance(to, str) or not _TO(to):
            raise _no_recipient(to)
        text = body.get("text")
        media: list[str] = []
        odd = None
        if not text or not isinstance(text, str) or "media_urls" in body or "send_at" in body or "type" in body:
            text, media = _said(body)
            odd = self._odd(body, media)
        number, profile = self._from(body, to, endpoint)
        if media:
            text, media = self._media.check(number, profile, to, text, media, odd)
        encoding: Encoding = _encoding(body) if "encoding" in body else "auto"
        content = self._content(text, encoding, profile.spec.smart_encoding)
        if media:
            content = Content(content.encoding, 1, False)
        elif not 0 < content.parts <= MAX_PARTS:
            raise Refusal("40302" if content.parts else "40316", pointer="/text")
        subject = body.get("subject")
        url, failover, standby = webhooks_of(body, profile)
        return Draft(
            number, profile, to, text, content, url, failover, media, str(subject) if subject else None, standby, odd
        )

    def again(
        self, body: dict[str, object], number: SandboxNumber, profile: SandboxProfile, parts: int, odd: Odd | None
    ) -> Draft:
        """The draft of a send that was taken, without asking whether it would be taken now."""
        text, media = _said(body)
        if odd is not None and odd.as_sms:
            text, media = as_text(text, media), []
        content = self._content(text, _encoding(body), profile.spec.smart_encoding)
        content = Content(content.encoding, parts, content.smart and not media)
        url, failover, standby = webhooks_of(body, profile)
        subject = body.get("subject")
        return Draft(
            *(number, profile, str(body["to"]), text, content, url, failover, media),
            *(str(subject) if subject else None, standby, odd),
        )

    def _odd(self, body: dict[str, object], media: list[str]) -> Odd | None:
        """Raises Refusal 10033 for a `send_at` that is too near or too far, 40304 for a type that the content is not."""
        kind, when = body.get("type"), body.get("send_at")
        if kind is not None and kind != ("MMS" if media else "SMS"):
            raise Refusal("40304" if kind in ("SMS", "MMS") else "10032", pointer="/type")
        if when is None:
            return Odd() if media else None
        if not isinstance(when, str):
            raise Refusal("10026", pointer="/send_at")
        at_us = read_moment(when, pointer="/send_at")
        low, high = self._schedule_us
        if not low <= at_us - time.time_ns() // 1000 <= high:
            raise Refusal("10033", "send_at must be at least 5 minutes and at most 5 days ahead.", pointer="/send_at")
        return Odd(send_at_us=at_us)

    def _from(self, body: dict[str, object], to: str, endpoint: Endpoint) -> tuple[SandboxNumber, SandboxProfile]:
        name, profile_id = body.get("from"), body.get("messaging_profile_id")
        if endpoint is MESSAGES and isinstance(name, str):
            plain = self._numbers.plain.get(name)
            if plain is not None and (not profile_id or profile_id == plain[1].spec.id):
                return plain
        number = self._sender(body, to, endpoint)
        if number.profile is None:
            raise Refusal("40305", pointer="/from")
        _permitted(number.profile, to)
        if number.type == "alphanumeric" and to[0] == "+" and country(int(to)) in _NO_ALPHANUMERIC:
            number = self._fallback(number)
        assert number.profile is not None
        return number, number.profile

    def _fallback(self, number: SandboxNumber) -> SandboxNumber:
        """The number that sends where an alphanumeric ID cannot (`us_long_code_fallback`). Raises Refusal 40301 for none."""
        found = self._numbers.by_number.get(number.fallback)
        if found is None:
            raise Refusal("40301", "Alphanumeric sender IDs do not reach this country.", pointer="/to")
        if found.profile is not number.profile or found.flaw:
            raise Refusal("40305", "The us_long_code_fallback cannot send for this profile.", pointer="/from")
        return found

    def _sender(self, body: dict[str, object], to: str, endpoint: Endpoint) -> SandboxNumber:
        name, profile_id = body.get("from"), body.get("messaging_profile_id")
        if not name or endpoint.pooled:
            return self._profile(profile_id).choose(to)
        number = self._numbers.find(name, profile_id) if isinstance(name, str) else None
        if number is None:
            raise self._stranger(name, profile_id)
        if endpoint.types and number.type not in endpoint.types:
            raise Refusal("40305", "This endpoint does not send from a sender of this type.", pointer="/from")
        if number.profile is None or (profile_id and profile_id != number.profile.spec.id):
            raise Refusal("40305", pointer="/from")
        if number.type == "alphanumeric" and not profile_id:
            raise Refusal("10004", "messaging_profile_id is required.", pointer="/messaging_profile_id")
        if number.flaw:
            raise _flawed(number)
        return number

    def _profile(self, profile_id: object) -> SandboxProfile:
        if not profile_id:
            raise Refusal("10004", "Either from or messaging_profile_id is required.", pointer="/from")
        profile = self._numbers.profiles.get(profile_id) if isinstance(profile_id, str) else None
        if profile is None:
            raise Refusal("10005", pointer="/messaging_profile_id")
        return profile

    def _stranger(self, name: object, profile_id: object) -> Refusal:
        if not isinstance(name, str):
            return Refusal("10026", pointer="/from")
        if re.fullmatch(r"\+?[0-9]+", name):
            return Refusal("40305", pointer="/from")
        if not _ALPHANUMERIC(name):
            return Refusal("40325", pointer="/from")
        others = any(each.type == "alphanumeric" for each in self._profile(profile_id).members.values())
        return Refusal("40307" if others else "40306", pointer="/from")


def _no_recipient(to: object) -> Refusal:
    if to is None or to == "":
        return Refusal("10004", "to is required.", pointer="/to")
    return Refusal("40310", pointer="/to")


def _said(body: dict[str, object]) -> tuple[str, list[str]]:
    text, media = body.get("text") or "", body.get("media_urls") or []
    if not isinstance(text, str):
        raise Refusal("10026", pointer="/text")
    if not isinstance(media, list) or not all(isinstance(each, str) for each in media):
        raise Refusal("10026", pointer="/media_urls")
    if not text and not media:
        raise Refusal("40316", pointer="/text")
    return text, media


def _encoding(body: dict[str, object]) -> Encoding:
    asked = body.get("encoding")
    if asked is None:
        return "auto"
    encoding = _ENCODINGS.get(asked) if isinstance(asked, str) else None
    if encoding is None:
        raise Refusal("10032", "encoding must be one of auto, gsm7, ucs2.", pointer="/encoding")
    return encoding


def _flawed(number: SandboxNumber) -> Refusal:
    health = number.health
    rates = f"Its success ratio is {health.success_ratio:g}, its spam ratio {health.spam_ratio:g}."
    return Refusal(number.flaw, rates if number.flaw == "40315" else "", pointer="/from")


def _permitted(profile: SandboxProfile, to: str) -> None:
    spec = profile.spec
    if not spec.enabled:
        raise Refusal("40312")
    if not spec.whitelisted_destinations:
        raise Refusal("40331")
    if to[0] != "+" or "*" in spec.whitelisted_destinations:
        return
    if country(int(to)) not in spec.whitelisted_destinations:
        raise Refusal("40309", pointer="/to")


def webhooks_of(body: dict[str, object], profile: SandboxProfile) -> tuple[str, str, tuple[str, ...]]:
    """The message's own URLs come first; the profile's stand by, unless the message does without them."""
    url = _url(body.get("webhook_url"))
    failover = _url(body["webhook_failover_url"]) if "webhook_failover_url" in body else ""
    spec = profile.spec
    if not spec.webhook_url or body.get("use_profile_webhooks") is False:
        return url, failover, ()
    failover_shown = failover or spec.webhook_failover_url
    if not url:
        return spec.webhook_url, failover_shown, ()
    return url, failover_shown, (failover, spec.webhook_url, spec.webhook_failover_url)


def _url(url: object) -> str:
    if not url:
        return ""
    if not isinstance(url, str) or len(url) > _MAX_URL or not url.startswith(("http://", "https://")):
        raise Refusal("10003", pointer="/webhook_url")
    return url


class _Counter:
    """Encoding and parts of a text, by the config's rules. Texts are mostly different: remembering them costs more."""

    def __init__(self, config: SandboxConfig) -> None:
        self._rule, self._gsm_set = config.parts_rule, config.gsm_set

    def __call__(self, text: str, encoding: Encoding, smart_profile: bool) -> Content:
        try:
            counted = measure(
                text, encoding=encoding, smart_encoding=smart_profile, rule=self._rule, gsm_set=self._gsm_set
            )
        except NotEncodable as error:
            raise Refusal("10015", str(error), pointer="/text") from None
        applied = encoding == "gsm7" or (smart_profile and encoding == "auto")
        return Content(counted.encoding, counted.parts, applied and smart(text) != text)
