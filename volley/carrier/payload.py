"""Reads the carrier's JSON without trusting its shape: what cannot be read is None, "" or 0, and never an error.

One home for the oddities of Telnyx's message object, which both POST answers and webhooks carry.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from volley.money import micros

_ENCODINGS = {
    "GSM-7": "GSM-7",
    "UCS-2": "UCS-2",
    "GSM7": "GSM-7",
    "UCS2": "UCS-2",
    "UTF-16": "UCS-2",
    "UTF16": "UCS-2",
}
_NOTHING: dict[str, Any] = {}
_MOST = Decimal(10**9)
_LONG_DIGITS = re.compile(r"\+?\d(?:[\s().-]*\d){4,}")
_TITLE_LENGTH = 100
_NUL = "\0"
"""JSON may hold it and PostgreSQL cannot keep it."""


class Money(NamedTuple):
    cost_micros: int | None
    rate_micros: int | None
    fee_micros: int | None
    currency: str


def money(message: dict[str, Any]) -> Money:
    """`cost` and `cost_breakdown` of a message object; amounts come as decimal strings, as JSON numbers or not at all."""
    cost = message.get("cost")
    breakdown = message.get("cost_breakdown")
    if not isinstance(breakdown, dict):
        breakdown = _NOTHING
    currency = cost.get("currency") if isinstance(cost, dict) else None
    return Money._make(
        (
            _amount(cost),
            _amount(breakdown.get("rate")),
            _amount(breakdown.get("carrier_fee")),
            currency[:3].replace(_NUL, "") if isinstance(currency, str) else "",
        )
    )


def _amount(node: Any) -> int | None:
    value = node.get("amount") if isinstance(node, dict) else None
    return _micros(value) if isinstance(value, (str, int, float)) else None


@lru_cache(maxsize=4096)
def _micros(value: str | float) -> int | None:
    # A price list is short and a campaign long: the same few amounts come back ten thousand times a second.
    try:
        number = Decimal(word(str(value), 32))
        return micros(number) if number.copy_abs() < _MOST else None
    except ArithmeticError:
        return None


def encoding(value: Any) -> str:
    """GSM-7 or UCS-2 (some pages of Telnyx say UTF-16); any other word as it is; "" for what is no word."""
    if not isinstance(value, str):
        return ""
    return _ENCODINGS.get(value) or _ENCODINGS.get(value.upper()) or value[:16].replace(_NUL, "")


def whole(value: Any) -> int:
    """A count from 0 to a million; 0 for anything else."""
    return value if type(value) is int and 0 <= value <= 1_000_000 else 0


def word(value: Any, most: int = 64) -> str:
    """A string that is not too long to be what it should be; "" for anything else."""
    return value if isinstance(value, str) and len(value) <= most and _NUL not in value else ""


class CarrierError(NamedTuple):
    """One entry of `errors[]`: the title only. `detail` quotes numbers and texts, and is read for one word alone.

    `about_media`: it points to the media of the message.
    """

    code: str
    title: str
    about_key: bool
    about_media: bool = False


NO_ERROR = CarrierError("", "", False)


def errors(document: Any) -> list[CarrierError]:
    """The readable entries of `errors[]`, in order; some answers to a DELETE are one such entry, alone."""
    found = document.get("errors") if isinstance(document, dict) else None
    if found is None and isinstance(document, dict) and "code" in document and "title" in document:
        found = [document]
    return [_error(entry) for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _error(entry: dict[str, Any]) -> CarrierError:
    code, title, detail = entry.get("code"), entry.get("title"), entry.get("detail")
    about_key = "idempoten" in f"{title} {detail}".lower()
    source = entry.get("source")
    about_media = isinstance(source, dict) and "media_urls" in f"{source.get('pointer')} {source.get('parameter')}"
    number = word(str(code), 16) if isinstance(code, (str, int)) else ""
    return CarrierError(number, _plain(title), about_key, about_media)


def _plain(title: Any) -> str:
    if not isinstance(title, str):
        return ""
    return _LONG_DIGITS.sub("…", title[: 2 * _TITLE_LENGTH])[:_TITLE_LENGTH].replace(_NUL, "")
