"""Phone numbers: from what a customer's list holds to E.164, and which numbers a text cannot reach. Pure.

Facts come from `phonenumbers` (Google's libphonenumber): a number that its tables do not know is refused, and so is
one whose kind takes no texts. Landlines and toll-free numbers are among them: most carriers bill such texts and drop them.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberType

from volley.errors import RowError, UnusableInput

_SENDABLE = frozenset(
    {
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.VOIP,
    }
)
_KINDS = {
    PhoneNumberType.UNKNOWN: "not a valid number",
    PhoneNumberType.FIXED_LINE: "a landline",
    PhoneNumberType.TOLL_FREE: "a toll-free number",
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.VOICEMAIL: "a voicemail number",
    PhoneNumberType.UAN: "a company number",
}
_UNREAD = {
    NumberParseException.INVALID_COUNTRY_CODE: "no such country code",
    NumberParseException.NOT_A_NUMBER: "not a phone number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "too short",
    NumberParseException.TOO_SHORT_NSN: "too short",
    NumberParseException.TOO_LONG: "too long",
}
_LETTER = re.compile(r"[^\W\d_]")
_PLAIN = re.compile(r"[ (]*\+?[0-9 ().-]+")
_NO_PUNCTUATION = str.maketrans("", "", " ().-")
_NANP_LENGTH = 10
_REMEMBERED = 1 << 16


class NotSendable(RowError):
    """A text cannot reach this number. The message is one of a few fixed reasons and never holds the number."""

    @property
    def reason(self) -> str:
        return str(self)


class _Plan(NamedTuple):
    """A calling code, how many digits it has, its regions (main one first), and what finds a trunk prefix behind it."""

    code: int
    length: int
    regions: tuple[str, ...]
    trunk: Callable[[str], re.Match[str] | None]


def parse(raw: str, region: str | None) -> int:
    """E.164 digits of a number, as an integer. `region` (ISO 3166 alpha-2, upper case) is for numbers without `+`.

    Raises:
        NotSendable: not a number, not a valid one, or of a kind that takes no texts.
    """
    digits = _plain_digits(raw, region)
    if digits:
        number = _as_read(digits)
        if number is not None:
            _check_kind(number)
            return int(digits)
    number = _read(raw, region)
    _check_kind(number)
    return int(f"{number.country_code}{phonenumbers.national_significant_number(number)}")


def known_region(code: str) -> str:
    """A region as `parse` takes it.

    Raises:
        UnusableInput: no region of this name.
    """
    region = code.strip().upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise UnusableInput(f"{code[:20]!r} is no region: give two letters of ISO 3166, as in US, GB or DE")
    return region


def e164(number: int) -> str:
    return f"+{number}"


def area_code(number: int) -> str | None:
    """The three digits behind +1; None outside the North American numbering plan."""
    return str(number // 10**7 % 1000) if number // 10**_NANP_LENGTH == 1 else None


def country(number: int) -> str:
    """ISO alpha-2 of a number that `parse` has accepted; empty where it belongs to no country (+882 and the like)."""
    digits = str(number)
    plan = _plan(digits[:3])
    if plan is None:
        return ""
    if len(plan.regions) > 1:
        return _shared_code_country(number, digits)
    return plan.regions[0] if plan.regions[0].isalpha() else ""


_countries: dict[int, str] = {}


def _shared_code_country(number: int, digits: str) -> str:
    # Several countries behind one code, told apart by their leading digits: the area code in North America, what
    # stands before the last five digits elsewhere. Holds for sendable numbers only; tests/unit/test_numbers.py tries it.
    key = number // 10**7 if digits[0] == "1" else number // 10**5
    return _countries.get(key) or _remember(key, _look_up(digits))


def _look_up(digits: str) -> str:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(f"+{digits}", None)) or ""
    except NumberParseException:
        return ""


def _remember(key: int, region: str) -> str:
    if len(_countries) >= _REMEMBERED:
        _countries.clear()
    _countries[key] = region
    return region


def _check_kind(number: PhoneNumber) -> None:
    # number_type does all the work of is_valid_number, and answers UNKNOWN where that says no
    kind = phonenumbers.number_type(number)
    if kind not in _SENDABLE:
        raise NotSendable(_KINDS.get(kind, "a number that takes no texts"))


def _read(raw: str, region: str | None) -> PhoneNumber:
    """Any spelling. Letters are refused: `phonenumbers` would dial them (1-800-FLOWERS), in a list they are mistakes."""
    if not raw.strip():
        raise NotSendable("no number")
    if _LETTER.search(raw):
        raise NotSendable("letters in the number")
    try:
        number = phonenumbers.parse(raw, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and region is None and "+" not in raw:
            raise NotSendable("no country code, and no region is set") from None
        raise NotSendable(_UNREAD.get(error.error_type, "not a phone number")) from None
    if number.extension:
        raise NotSendable("an extension, or two numbers")
    return number


def _plain_digits(raw: str, region: str | None) -> str:
    """The E.164 digits of a plainly written number: + and digits, or ten digits in the US and Canada. Empty for all else."""
    if not _PLAIN.fullmatch(raw):
        return ""
    digits = raw.translate(_NO_PUNCTUATION)
    if digits[:1] == "+":
        return digits[1:] if 8 <= len(digits) <= 16 else ""
    if region in ("US", "CA") and len(digits) == _NANP_LENGTH and digits[0] not in "01":
        return f"1{digits}"
    return ""


def _as_read(digits: str) -> PhoneNumber | None:
    """What `phonenumbers.parse` makes of these digits, at a tenth of its price; None where it would rewrite them."""
    plan = _plan(digits[:3])
    if plan is None:
        return None
    national = digits[plan.length :]
    if national[0] == "0" or plan.trunk(national):
        return None
    return PhoneNumber(country_code=plan.code, national_number=int(national))


@cache
def _plan(head: str) -> _Plan | None:
    if head[0] == "0":  # no code begins so, and as a number it would be another one's
        return None
    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(head[:length]))
        if regions:
            return _described(int(head[:length]), length, regions)
    return None


def _described(code: int, length: int, regions: tuple[str, ...]) -> _Plan:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, regions[0])
    trunk = metadata.national_prefix_for_parsing if metadata else None
    return _Plan(code, length, regions, re.compile(trunk or r"(?!)").match)
