"""Encoding, units and parts of a text. Pure; the carrier's answer is the truth, this is the estimate that must equal it.

3GPP TS 23.038 section 6.2.1: the GSM 7-bit default alphabet and its extension table, whose characters take two
septets; anything else goes as UCS-2, counted in UTF-16 units. One part holds 160 septets or 70 units; each of several
parts holds 153 or 67, because TS 23.040 section 9.2.3.24.1 puts a header in front.
"""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from volley.campaign import Encoding
from volley.errors import RowError
from volley.text.smart import smart

Rule = Literal["packed", "ceil"]
GsmSet = Literal["3gpp", "telnyx"]

MAX_PARTS = 10
"""Telnyx refuses longer texts (error 40302)."""

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"
_TELNYX_LACKS = frozenset("ÇΔΦΓΛΩΠΨΣΘΞ¤\f")
_ESCAPE = "\x1b"
_TO_ESCAPE = re.compile(f"[{re.escape(_EXTENSION)}]")


class NotEncodable(RowError):
    """No encoding that the push allows can carry this text; says which character and where."""


class Counted(NamedTuple):
    """`units` are septets for GSM-7 and UTF-16 units for UCS-2. An empty text has no parts: the carrier refuses it."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    parts: int


class _Alphabet(NamedTuple):
    """`plain`: every character takes one septet; `gsm`: every character takes one or two; `outside`: the first that takes none."""

    plain: Callable[[str], re.Match[str] | None]
    gsm: Callable[[str], re.Match[str] | None]
    outside: Callable[[str], re.Match[str] | None]


def _alphabet(lacks: frozenset[str]) -> _Alphabet:
    basic = re.escape("".join(char for char in _BASIC if char not in lacks))
    both = basic + re.escape("".join(char for char in _EXTENSION if char not in lacks))
    return _Alphabet(
        plain=re.compile(f"[{basic}]*+").fullmatch,
        gsm=re.compile(f"[{both}]*+").fullmatch,
        outside=re.compile(f"[^{both}]").search,
    )


_ALPHABETS: dict[GsmSet, _Alphabet] = {"3gpp": _alphabet(frozenset()), "telnyx": _alphabet(_TELNYX_LACKS)}


def count(text: str, *, rule: Rule = "packed", gsm_set: GsmSet = "3gpp") -> Counted:
    """What the carrier will bill for exactly this text.

    `rule` "packed" moves an escape or surrogate pair whole into the next part, as phones must receive it; "ceil"
    divides, as Telnyx's page does. `gsm_set` "telnyx" is that page's list, which lacks Ç, the Greek capitals, ¤ and form feed.

    Raises:
        NotEncodable: half a surrogate pair, which no encoding can carry.
    """
    alphabet = _ALPHABETS[gsm_set]
    if alphabet.plain(text):
        return Counted("GSM-7", len(text), _divide(len(text), 160, 153))
    if alphabet.gsm(text):
        return _with_escapes(text, rule)
    return _ucs2(text, rule)


def measure(
    text: str,
    *,
    encoding: Encoding = "auto",
    smart_encoding: bool = False,
    rule: Rule = "packed",
    gsm_set: GsmSet = "3gpp",
) -> Counted:
    """`count` under the `encoding` of a request and the `smart_encoding` of a profile.

    auto: smart replacement if the profile has it on. gsm7: always replaces. ucs2: never, and counts UTF-16 units.

    Raises:
        NotEncodable: gsm7, and a character is left that the alphabet does not have; or half a surrogate pair.
    """
    if encoding == "ucs2":
        return _ucs2(text, rule)
    if smart_encoding or encoding == "gsm7":
        text = smart(text)
    counted = count(text, rule=rule, gsm_set=gsm_set)
    if encoding == "gsm7" and counted.encoding != "GSM-7":
        raise NotEncodable(f"encoding is gsm7, and {_named(forcing_character(text, gsm_set) or '')} is not in it")
    return counted


def forcing_character(text: str, gsm_set: GsmSet = "3gpp") -> str | None:
    """The first character that makes the text UCS-2; None if none does."""
    found = _ALPHABETS[gsm_set].outside(text)
    return found[0] if found else None


def _divide(units: int, single: int, each: int) -> int:
    return min(units, 1) if units <= single else -(-units // each)


def _pack(units: int, each: int, opens_pair: Callable[[int], bool]) -> int:
    start = parts = 0
    while start < units:
        end = start + each
        start = end - 1 if end < units and opens_pair(end - 1) else end
        parts += 1
    return parts


def _with_escapes(text: str, rule: Rule) -> Counted:
    septets = _TO_ESCAPE.sub(rf"{_ESCAPE}\g<0>", text)
    units = len(septets)
    if units <= 160 or rule == "ceil":
        return Counted("GSM-7", units, _divide(units, 160, 153))
    return Counted("GSM-7", units, _pack(units, 153, lambda at: septets[at] == _ESCAPE))


def _ucs2(text: str, rule: Rule) -> Counted:
    data = _utf16(text)
    units = len(data) // 2
    if units <= 70 or units == len(text) or rule == "ceil":
        return Counted("UCS-2", units, _divide(units, 70, 67))
    return Counted("UCS-2", units, _pack(units, 67, lambda at: 0xD8 <= data[2 * at] <= 0xDB))


def _utf16(text: str) -> bytes:
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        raise NotEncodable(f"{half} at character {error.start + 1} is half of a surrogate pair") from None


def _named(char: str) -> str:
    return f"U+{ord(char):04X} ({char})" if char.isprintable() else f"U+{ord(char):04X}"
