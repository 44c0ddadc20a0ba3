"""MMS: where they go, from whom, how much they hold, and the SMS that may go instead."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from volley.numbers import country
from volley.sandbox.accepted import Odd
from volley.sandbox.config import SandboxConfig
from volley.sandbox.pool import SandboxNumber, SandboxProfile
from volley.sandbox.replies import Refusal

_MAX_ITEMS = 10
_MAX_BYTES = 1_000_000
_MAX_TRANSCODED = 5_000_000
_USUAL_BYTES = 1024
_COUNTRIES = ("US", "CA")


def as_text(text: str, media: list[str]) -> str:
    """The SMS in place of an MMS: the URLs of its media behind its text."""
    return " ".join([text, *media] if text else media)


class MediaDesk:
    """Checks the media of a send."""

    def __init__(self, config: SandboxConfig) -> None:
        self._bytes: Mapping[str, int] = config.media_bytes

    def check(
        self, number: SandboxNumber, profile: SandboxProfile, to: str, text: str, media: list[str], odd: Odd | None
    ) -> tuple[str, list[str]]:
        """Text and media as they go; `odd` learns the sizes. Raises Refusal 40317, 40308, 40301."""
        assert odd is not None
        odd.sizes = tuple(self._size(url) for url in media)
        most = _MAX_TRANSCODED if profile.spec.mms_transcoding else _MAX_BYTES
        if len(media) > _MAX_ITEMS or sum(odd.sizes) >= most:
            raise Refusal("40317", pointer="/media_urls")
        refusal = _impossible(number, to)
        if refusal is None:
            return text, media
        if not profile.spec.mms_fall_back_to_sms:
            raise refusal
        odd.as_sms = True
        return as_text(text, media), []

    def _size(self, url: str) -> int:
        known = self._bytes.get(url)
        if known is not None:
            return known
        said = parse_qs(urlsplit(url).query).get("bytes", [""])[0]
        return int(said) if said.isascii() and said.isdigit() else _USUAL_BYTES


def _impossible(number: SandboxNumber, to: str) -> Refusal | None:
    if number.type == "alphanumeric" or number.mms is None:
        return Refusal("40308", pointer="/from")
    if to[0] != "+" or country(int(to)) not in _COUNTRIES:
        return Refusal("40301", "MMS go to the US and Canada only.", pointer="/to")
    return None
