"""Which leading digits of E.164 tell a country: longest match first, so that a machine without tables can route. Pure.

Derived from libphonenumber's patterns, for numbers that take texts (`volley.numbers.parse`); `country` of the same module
decides by whole numbers, and tests hold the two together.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Generic, NamedTuple, Self, TypeVar

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

T = TypeVar("T")

_DEEPEST = 6
"""So many digits behind a calling code tell its countries apart."""
_Rest = Callable[[int], bool]
_Step = Callable[[str, int, _Rest], bool]


@cache
def prefixes(country: str) -> tuple[str, ...]:
    """Leading digits of a country's numbers (ISO alpha-2), shortest first; nothing for what is no country.

    Of all countries' prefixes the longest that a number begins with tells where it belongs: the main country of a shared
    calling code has the bare code, the others have what tells them apart.
    """
    found = [
        f"{code}{head}"
        for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
        if country in regions and country.isalpha()
        for head in _heads(code, regions)[country]
    ]
    return tuple(sorted(found, key=lambda prefix: (len(prefix), prefix)))


def first_prefix(country: str) -> str:
    """The shortest of a country's prefixes, '' for what is no country. Of the main country of a code at once: telling the others apart
    takes a second, in which a process does nothing else."""
    mine = [
        str(code)
        for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
        if country == regions[0] and country.isalpha()
    ]
    return mine[0] if mine else next(iter(prefixes(country)), "")


def countries() -> frozenset[str]:
    """All that have numbers."""
    return frozenset(name for regions in COUNTRY_CODE_TO_REGION_CODE.values() for name in regions if name.isalpha())


def by_prefix(value_of: Callable[[str], T], elsewhere: T) -> dict[str, T]:
    """What holds for countries, as what holds for leading digits. `elsewhere`: for numbers that belong to none.

    The shortest table with that meaning: only prefixes whose value is not that of the next shorter one.
    """
    full: dict[str, T] = {}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if not regions[0].isalpha():
            continue
        values = {region: value_of(region) for region in regions}
        full[str(code)] = values[regions[0]]
        if any(value != full[str(code)] for value in values.values()):
            full |= {prefix: values[region] for region in regions for prefix in prefixes(region)}
    table = Prefixes(full, elsewhere)
    return {prefix: value for prefix, value in full.items() if table.find(prefix, len(prefix) - 1) != value}


class Prefixes(Generic[T]):
    """Finds what holds for a number: that of its longest prefix in the table."""

    def __init__(self, table: Mapping[str, T], elsewhere: T) -> None:
        self._table, self._elsewhere = table, elsewhere
        self._lengths = sorted({len(prefix) for prefix in table}, reverse=True)

    def find(self, digits: str, longest: int = 15) -> T:
        for length in self._lengths:
            if length <= longest and digits[:length] in self._table:
                return self._table[digits[:length]]
        return self._elsewhere


@cache
def _heads(code: int, regions: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What the numbers of a calling code's regions begin with behind it; the main one is where no other is."""
    found: dict[str, list[str]] = {region: [] for region in regions}
    for region, head in _tell_apart(_rivals(regions), "") if len(regions) > 1 else ():
        found[region].append(head)
    return {region: tuple(heads) for region, heads in found.items()} | {regions[0]: ("",)}


class _Kinds(NamedTuple):
    """What a region's numbers begin with ('' for anything), and the patterns of those that take texts."""

    leading: str
    kinds: tuple[str, ...]

    def may_begin(self, head: str) -> bool:
        return (not self.leading or _begins(self.leading, head)) and any(_opens(kind, head) for kind in self.kinds)

    def claims(self, head: str) -> bool:
        """Whether all that begins so is this region's, be it a number that takes texts or not."""
        return bool(self.leading and re.match(self.leading, head))

    def hides(self, other: Self) -> bool:
        """Whether libphonenumber, which asks this one first, never comes to the other."""
        return not self.leading and set(other.kinds) <= set(self.kinds)


def _rivals(regions: tuple[str, ...]) -> dict[str, _Kinds]:
    """Regions in the order in which they are asked."""
    rivals: dict[str, _Kinds] = {}
    for region in regions:
        metadata = PhoneMetadata.metadata_for_region(region)
        if metadata is None:
            continue
        kinds = (metadata.mobile, metadata.personal_number, metadata.voip)
        texts = tuple(kind.national_number_pattern for kind in kinds if kind and kind.national_number_pattern)
        mine = _Kinds(metadata.leading_digits or "", texts)
        if not any(earlier.hides(mine) for earlier in rivals.values()):
            rivals[region] = mine
    return rivals


def _tell_apart(rivals: Mapping[str, _Kinds], head: str) -> Iterator[tuple[str, str]]:
    """(region, shortest head that only it has); where that never comes, the first of them."""
    able = {region: kinds for region, kinds in rivals.items() if kinds.may_begin(head)}
    first = next(iter(able), "")
    if able and (len(able) == 1 or len(head) == _DEEPEST or able[first].claims(head)):
        yield first, head
    elif able:
        for digit in "0123456789":
            yield from _tell_apart(able, head + digit)


@cache
def _begins(leading: str, head: str) -> bool:
    return _compiled(leading)(head, 0, lambda _: True)


@cache
def _opens(pattern: str, head: str) -> bool:
    return _compiled(pattern)(head, 0, lambda at: at == len(head))


@cache
def _compiled(pattern: str) -> _Step:
    """Whether a text begins what a pattern matches. `re` cannot say that; of its language these patterns use a corner."""
    text = pattern.replace("\\d", ".")
    step, end = _alternatives(text, 0)
    if end != len(text):
        raise ValueError(f"a pattern of phonenumbers that is not read here: {pattern}")
    return step


def _alternatives(text: str, at: int) -> tuple[_Step, int]:
    branches: list[_Step] = []
    sequence: list[_Step] = []
    while at < len(text) and text[at] != ")":
        if text[at] == "|":
            branches.append(_sequence(sequence))
            sequence, at = [], at + 1
            continue
        atom, at = _atom(text, at)
        least, most, at = _repeats(text, at)
        sequence += [atom] * least + [_optional(atom)] * (most - least)
    branches.append(_sequence(sequence))
    return (lambda digits, i, rest: any(branch(digits, i, rest) for branch in branches)), at


def _atom(text: str, at: int) -> tuple[_Step, int]:
    if text[at] == "(":
        step, end = _alternatives(text, at + (3 if text[at + 1] == "?" else 1))
        return step, end + 1
    if text[at] == "[":
        end = text.index("]", at)
        return _digit(_members(text[at + 1 : end])), end + 1
    return _digit("0123456789" if text[at] == "." else text[at]), at + 1


def _repeats(text: str, at: int) -> tuple[int, int, int]:
    if text[at : at + 1] == "?":
        return 0, 1, at + 1
    if text[at : at + 1] != "{":
        return 1, 1, at
    end = text.index("}", at)
    least, _, most = text[at + 1 : end].partition(",")
    return int(least), int(most or least), end + 1


def _members(inside: str) -> str:
    digits, at = "", 0
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-":
            digits += "".join(map(str, range(int(inside[at]), int(inside[at + 2]) + 1)))
            at += 3
        else:
            digits, at = digits + inside[at], at + 1
    return digits


def _digit(allowed: str) -> _Step:
    return lambda digits, i, rest: i == len(digits) or (digits[i] in allowed and rest(i + 1))


def _optional(step: _Step) -> _Step:
    return lambda digits, i, rest: rest(i) or step(digits, i, rest)


def _sequence(steps: list[_Step]) -> _Step:
    def match(digits: str, i: int, rest: _Rest) -> bool:
        def follow(n: int, at: int) -> bool:
            if at == len(digits):
                return True
            return rest(at) if n == len(steps) else steps[n](digits, at, lambda following: follow(n + 1, following))

        return follow(0, i)

    return match
