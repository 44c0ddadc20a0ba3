"""What stands between a number and a push: its country, its kind, and whether it gets an MMS. A look-up a row, or nothing."""

from collections.abc import Callable, Sequence

import phonenumbers
from phonenumbers import PhoneNumberType

from producer.push.cast import Cast
from producer.push.estimate import UNKNOWN, Estimate
from producer.push.rules import MMS_COUNTRIES
from volley.errors import RowError
from volley.numbers import country, parse
from volley.outbox.chunks import ENCODINGS, MMS
from volley.text.media import with_links
from volley.text.parts import Counted

Read = Callable[[str, str | None], int]
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def reader(cast: Cast | None) -> Read:
    """`volley.numbers.parse`, which also raises RowError for a number that this push does not reach, if there are such."""
    if cast is None or cast.unbound:
        return parse
    reasons: dict[str, str] = {}
    mobile_only = cast.facts is not None and cast.facts.mobile_only

    def read(raw: str, region: str | None) -> int:
        number = parse(raw, region)
        home = country(number)
        reason = reasons.get(home)
        if reason is None:
            reason = reasons[home] = cast.refusal(home)
        if reason:
            raise RowError(reason)
        if mobile_only and not _mobile(number):
            raise RowError("the profile sends to mobile numbers only, and this is none")
        return number

    return read


def priced(read: Read, estimate: Estimate, *, mms: bool) -> Read:
    """The same, which also refuses a number whose price nobody knows: a budget can be kept only where all are."""

    def read_priced(raw: str, region: str | None) -> int:
        number = read(raw, region)
        by_mms = mms and country(number) in MMS_COUNTRIES
        if (estimate.per_mms(number) if by_mms else estimate.per_part(number)) == UNKNOWN:
            raise RowError(
                "its price is not known, and the push has a budget: add it to the prices, or leave the budget out"
            )
        return number

    return read_priced


def _mobile(number: int) -> bool:
    return phonenumbers.number_type(phonenumbers.parse(f"+{number}")) in _MOBILE


class Split:
    """Who gets an MMS, and who a text with links in its place: what is sent, its encoding and its parts."""

    def __init__(self, media: Sequence[str], count: Callable[[str], Counted], *, by_text: bool) -> None:
        self._media = media
        self._count = count
        self._by_text = by_text

    def __call__(self, to: int, text: str) -> tuple[str, str, int]:
        home = country(to)
        if home in MMS_COUNTRIES:
            return text, ENCODINGS[MMS], 1
        if not self._by_text:
            raise RowError(f"an MMS reaches {' and '.join(MMS_COUNTRIES)} only, not {home or 'a number of no country'}")
        text = with_links(text, self._media)
        encoding, _, parts = self._count(text)
        return text, encoding, parts
