"""A send, checked as Telnyx checks it: sender, profile, recipient, content, parts. What is wrong is a Refusal with its code."""

import re
from typing import NamedTuple

from volley.campaign import Encoding
from volley.numbers import country
from volley.sandbox.config import SandboxConfig
from volley.sandbox.pool import Numbers, SandboxNumber, SandboxProfile
from volley.sandbox.replies import Refusal
from volley.text.parts import MAX_PARTS, NotEncodable, measure
from volley.text.smart import smart

_TO = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}").fullmatch
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}").fullmatch
_NO_ALPHANUMERIC = ("US", "CA", "PR")
_MAX_URL = 2000
_MAX_MEDIA = 10
_ENCODINGS: dict[object, Encoding] = {"auto": "auto", "gsm7": "gsm7", "ucs2": "ucs2"}


class Content(NamedTuple):
    encoding: str
    parts: int
    smart: bool


class Draft(NamedTuple):
    """A send that is in order. `webhook_url` and its failover are resolved: the message's own, else the profile's."""

    number: SandboxNumber
    profile: SandboxProfile
    to: str
    text: str
    content: Content
    webhook_url: str
    webhook_failover_url: str
    media: list[str]
    subject: str | None


class Desk:
    """Turns the body of a send into a Draft."""

    def __init__(self, config: SandboxConfig, numbers: Numbers) -> None:
        self._numbers = numbers
        self._content = _Counter(config)

    def check(self, body: dict[str, object], pooled: bool, chosen: SandboxNumber | None = None) -> Draft:
        """`pooled`: the sender is chosen whatever `from` says. `chosen`: it was already. Raises Refusal."""
        to = body.get("to")
        if not isinstance(to, str) or not _TO(to):
            raise _no_recipient(to)
        text = body.get("text")
        media: list[str] = []
        if not text or not isinstance(text, str) or "media_urls" in body or "send_at" in body:
            text, media = _said(body)
        number, profile = self._from(body, to, pooled, chosen)
        content = self._content(text, _encoding(body), profile.spec.smart_encoding)
        if media:
            _mms(number, media)
            content = Content(content.encoding, 1, False)
        elif not 0 < content.parts <= MAX_PARTS:
            raise Refusal("40302" if content.parts else "40316", pointer="/text")
        subject = body.get("subject")
        url, failover = _webhooks(body, profile)
        return Draft(number, profile, to, text, content, url, failover, media, str(subject) if subject else None)

    def _from(
        self, body: dict[str, object], to: str, pooled: bool, chosen: SandboxNumber | None
    ) -> tuple[SandboxNumber, SandboxProfile]:
        name, profile_id = body.get("from"), body.get("messaging_profile_id")
        if isinstance(name, str) and not pooled:
            plain = self._numbers.plain.get(name)
            if plain is not None and (not profile_id or profile_id == plain[1].spec.id):
                return plain
        number = chosen or self._sender(body, to, pooled)
        if number.profile is None:
            raise Refusal("40305", pointer="/from")
        _permitted(number.profile, number, to)
        return number, number.profile

    def _sender(self, body: dict[str, object], to: str, pooled: bool) -> SandboxNumber:
        name, profile_id = body.get("from"), body.get("messaging_profile_id")
        if not name or pooled:
            return self._profile(profile_id).choose(to)
        number = self._numbers.by_number.get(name) if isinstance(name, str) else None
        if number is None:
            raise self._stranger(name, profile_id)
        if number.profile is None or (profile_id and profile_id != number.profile.spec.id):
            raise Refusal("40305", pointer="/from")
        if number.type == "alphanumeric" and not profile_id:
            raise Refusal("10004", "messaging_profile_id is required.", pointer="/messaging_profile_id")
        if not number.healthy:
            raise Refusal("40315", pointer="/from")
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
        self._profile(profile_id)
        return Refusal("40306", pointer="/from")


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
    if body.get("send_at") is not None:
        raise Refusal("10015", "This sandbox does not schedule.", pointer="/send_at")
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


def _permitted(profile: SandboxProfile, number: SandboxNumber, to: str) -> None:
    spec = profile.spec
    if not spec.enabled:
        raise Refusal("40312")
    if not spec.whitelisted_destinations:
        raise Refusal("40331")
    if to[0] != "+":
        return
    if "*" not in spec.whitelisted_destinations and country(int(to)) not in spec.whitelisted_destinations:
        raise Refusal("40309", pointer="/to")
    if number.type == "alphanumeric" and country(int(to)) in _NO_ALPHANUMERIC:
        raise Refusal("40301", "Alphanumeric sender IDs do not reach this country.", pointer="/to")


def _mms(number: SandboxNumber, media: list[str]) -> None:
    if number.type == "alphanumeric":
        raise Refusal("40308", pointer="/from")
    if len(media) > _MAX_MEDIA:
        raise Refusal("40317", pointer="/media_urls")


def _webhooks(body: dict[str, object], profile: SandboxProfile) -> tuple[str, str]:
    url, failover = _url(body.get("webhook_url")), _url(body.get("webhook_failover_url"))
    if body.get("use_profile_webhooks") is not False:
        return url or profile.spec.webhook_url, failover or profile.spec.webhook_failover_url
    return url, failover


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
