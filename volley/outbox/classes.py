"""Classes of senders: who of a pool serves people that nobody has served yet, and which of them where. Pure.

A class is all senders of a type (of any, without weights) that may serve the same countries and, where geomatch is on, have
the same area code: `long_code`, `any~CA+US`, `any~!GB@415`. Redis holds two texts a profile. `classes`: names and weights in
order, 0 for a class that only serves its own people. `routes`, where countries differ: groups of classes by ordinal (those
that new people are dealt to, then `/` and those whose people stay, or `^` and the group whose people all stay), then `|` and
which leading digits have which group; 0 is everybody else's. lua/lanes.lua reads both.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import lcm
from typing import NamedTuple

from volley.numbers import area_code
from volley.prefixes import Prefixes, by_prefix, countries
from volley.profile import ProfileFacts
from volley.sender import Sender, SenderType

ANY = "any"
KEPT = "kept"
NAMED = "named"
NOBODY = "nobody~"
ROUTED, NO_PINS = "routed", "nopins"

Routes = Mapping[str, tuple[SenderType, ...]]
Countries = frozenset[str]

_MOST = 20_000
"""Weights add up to this at most: they share a hash of a million values."""
_FEW = 3
_POOLED: frozenset[SenderType] = frozenset({"long_code", "toll_free", "short_code"})
_EVERYWHERE: Countries = countries() | {""}


class Home(NamedTuple):
    """Where a sender stands. `state`: a in the pool or x out of it, then e only for campaigns that name it, n no pins,
    r not for every country."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Dealing:
    """What a sync stores of classes, and each sender's home by its number."""

    classes: str
    routes: str
    homes: Mapping[str, Home]


class _Class(NamedTuple):
    name: str
    reach: Countries
    area: str


class _Group(NamedTuple):
    """Ordinals of classes."""

    dealt: tuple[int, ...]
    kept: tuple[int, ...]


def deal(
    senders: Sequence[Sender], weights: Mapping[SenderType, int], routes: Routes, facts: ProfileFacts | None = None
) -> Dealing:
    """The classes of a pool. A type with no weight, where there are weights, is for campaigns and routes that name it."""
    facts = facts or ProfileFacts("")
    present = {sender.type for sender in senders if sender.active and not sender.kept}
    shares = {kind: weight for kind, weight in weights.items() if weight > 0 and kind in present}
    reach = _Reach(frozenset(shares) or _POOLED, routes)
    homes = {sender.number: _home(sender, reach(sender), bool(shares), facts.geomatch) for sender in senders}
    members = [sender for sender in senders if sender.active]
    shared = _weighted(
        [(sender, homes[sender.number]) for sender in members if _is_shared(homes[sender.number])], shares
    )
    shared = shared or {_Class(ANY, _EVERYWHERE, ""): 1}
    kept = sorted({homes[sender.number] for sender in members if homes[sender.number].name.startswith(KEPT)})
    text = _routes(list(shared), kept)
    return Dealing(
        classes=" ".join(_words(shared, kept, text, sticky=facts.sticky)),
        routes=text,
        homes={
            sender.number: Home(home.name, _state(sender, home, routed=bool(text), sticky=facts.sticky))
            for sender, home in ((sender, homes[sender.number]) for sender in senders)
        },
    )


class _Reach:
    """Where a sender may serve new people, by its own reach and by which types a country takes."""

    def __init__(self, usual: frozenset[SenderType], routes: Routes) -> None:
        everywhere = frozenset(routes["*"]) if "*" in routes else usual
        self._types = {name: frozenset(routes[name]) if name in routes else everywhere for name in _EVERYWHERE}
        self._known: dict[tuple[SenderType, str], Countries] = {}

    def __call__(self, sender: Sender) -> Countries:
        key = (sender.type, sender.reach)
        if key not in self._known:
            may = sender.type != "carrier_pool"
            found = (name for name in _EVERYWHERE if may and sender.type in self._types[name] and sender.reaches(name))
            self._known[key] = frozenset(found)
        return self._known[key]


def _home(sender: Sender, reach: Countries, by_type: bool, geomatch: bool) -> _Class:
    if not reach:
        return _Class(NAMED, reach, "")
    if sender.kept:
        return _Class(KEPT + _reach_name(reach), reach, "")
    area = _area(sender) if geomatch else ""
    label = sender.type if by_type else ANY
    return _Class(f"{label}{_reach_name(reach)}{area and '@'}{area}", reach, area)


def _area(sender: Sender) -> str:
    digits = sender.number.lstrip("+")
    return (area_code(int(digits)) or "") if sender.type == "long_code" and digits.isdigit() else ""


@cache
def _reach_name(reach: Countries) -> str:
    missing = _EVERYWHERE - reach
    if not missing:
        return ""
    if len(reach) <= _FEW and "" not in reach:
        return "~" + "+".join(sorted(reach))
    if len(missing) <= _FEW and "" not in missing:
        return "~!" + "+".join(sorted(missing))
    return "~" + hashlib.sha1(",".join(sorted(reach)).encode()).hexdigest()[:6]


def label(name: str) -> str:
    """A class's type, or `any`."""
    return name.split("~")[0].split("@")[0]


def _is_shared(home: _Class) -> bool:
    return label(home.name) not in (KEPT, NAMED)


def _weighted(members: Iterable[tuple[Sender, _Class]], shares: Mapping[SenderType, int]) -> dict[_Class, int]:
    """Classes with their weights: those of their types, shared out by rate. A type that only a route names weighs 1."""
    rates: dict[_Class, int] = defaultdict(int)
    for sender, home in members:
        rates[home] += sender.rate_milli
    made: dict[str, int] = defaultdict(int)
    for home, rate in rates.items():
        made[label(home.name)] += rate
    given = {str(kind): weight for kind, weight in shares.items()}
    order = list(given)
    names = sorted(rates, key=lambda home: (_place(order, label(home.name)), home.name))
    parts = [Fraction(given.get(label(home.name), 1) * rates[home], made[label(home.name)]) for home in names]
    return dict(zip(names, _whole(parts), strict=True))


def _place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _whole(parts: Sequence[Fraction]) -> list[int]:
    """Integers in the same ratio, or nearly so where they would grow large."""
    scale = Fraction(lcm(*(part.denominator for part in parts)))
    total = sum(parts, Fraction())
    if scale > 1 and total * scale > _MOST:
        scale = _MOST / total
    return [max(1, round(part * scale)) for part in parts]


def _state(sender: Sender, home: _Class, *, routed: bool, sticky: bool) -> str:
    named = home.name == NAMED
    restricted = routed and not named and home.reach != _EVERYWHERE
    return ("a" if sender.active else "x") + "e" * named + "n" * (not sticky) + "r" * restricted


def _words(shared: Mapping[_Class, int], kept: Sequence[_Class], routes: str, *, sticky: bool) -> Iterator[str]:
    yield from (f"{home.name} {weight}" for home, weight in shared.items())
    if routes:
        yield from (f"{home.name} 0" for home in kept)
        if any(not group.dealt for group in Dealt("", routes).groups()):
            held = " ".join([routes, *(home.name for home in (*shared, *kept))])
            yield f"{NOBODY}{hashlib.sha1(held.encode()).hexdigest()[:6]} 0"
        yield ROUTED
    if not sticky:
        yield NO_PINS


def _routes(shared: Sequence[_Class], kept: Sequence[_Class]) -> str:
    """'' where all classes serve everybody."""

    @cache
    def group(country: str) -> _Group:
        dealt = tuple(n for n, home in enumerate(shared, 1) if country in home.reach)
        return _Group(dealt, tuple(n for n, home in enumerate(kept, 1 + len(shared)) if country in home.reach))

    table = by_prefix(group, group(""))
    areas = dict(_areas(shared, Prefixes(table, group(""))))
    if not areas and set(table.values()) <= {group("")} and group("") == (_all(shared), _all(kept, len(shared))):
        return ""
    bases = list(dict.fromkeys([group(""), *table.values(), *(base for _, base in areas.values())]))
    texts = [f"{_list(one.dealt)}/{_list(one.kept)}" for one in bases]
    numbers = {prefix: bases.index(one) for prefix, one in table.items()}
    for prefix, (dealt, base) in areas.items():
        numbers[prefix] = len(texts)
        texts.append(f"{_list(dealt)}^{bases.index(base)}")
    return ";".join(texts) + "|" + " ".join(f"{prefix}={n}" for prefix, n in sorted(numbers.items()))


def _areas(shared: Sequence[_Class], table: Prefixes[_Group]) -> Iterator[tuple[str, tuple[tuple[int, ...], _Group]]]:
    """Prefixes of the area codes that have classes of their own there, those classes, and the group they are of."""
    for area in sorted({home.area for home in shared} - {""}):
        base = table.find(f"1{area}")
        own = tuple(n for n in base.dealt if shared[n - 1].area == area)
        if own and own != base.dealt:
            yield f"1{area}", (own, base)


def _all(homes: Sequence[_Class], after: int = 0) -> tuple[int, ...]:
    return tuple(range(1 + after, 1 + after + len(homes)))


def _list(ordinals: Iterable[int]) -> str:
    return ",".join(map(str, ordinals))


def _read(ordinals: str) -> tuple[int, ...]:
    return tuple(map(int, ordinals.split(","))) if ordinals else ()


class Dealt:
    """Reads what `deal` wrote: the classes of a profile, and which of them serve a number."""

    def __init__(self, classes: str, routes: str) -> None:
        words = classes.split()
        paired = [n for n in range(0, len(words) - 1, 2) if words[n + 1].isdigit()]
        self.weights = {words[n]: int(words[n + 1]) for n in paired}
        self.sticky = NO_PINS not in words
        self._names = list(self.weights)
        self.nobody = next((name for name in self._names if name.startswith(NOBODY)), "")
        groups, _, table = routes.partition("|")
        self._groups = groups.split(";") if routes else []
        found = (entry.split("=") for entry in table.split())
        self._table = Prefixes({prefix: int(n) for prefix, n in found}, 0)

    def groups(self) -> list[_Group]:
        """All of them, those that have another group's people first written out."""
        parted = [text.replace("^", "/^").split("/") for text in self._groups]
        return [_Group(_read(dealt), () if kept.startswith("^") else _read(kept)) for dealt, kept in parted]

    def shared(self, number: int) -> dict[str, int]:
        """The classes that a person is dealt to, and their weights."""
        if not self._groups:
            return {name: weight for name, weight in self.weights.items() if weight}
        dealt = self._groups[self._table.find(str(number))].replace("^", "/").split("/")[0]
        return {self._names[n - 1]: self.weights[self._names[n - 1]] for n in _read(dealt)}
