"""Where a sender may send, as volley/sender.py writes it: `*`, `US,CA`, `!US,CA`; empty is nowhere. Pure."""

from collections.abc import Iterable

EVERYWHERE, NOWHERE = "*", ""
NANP_HOME = frozenset({"US", "CA", "PR", "VI", "GU", "AS", "MP", "UM"})
"""The United States, their territories and Canada: a text from one to another is no international one."""


def only(countries: Iterable[str]) -> str:
    """These countries; `*` among them is everywhere."""
    listed = {country.upper() for country in countries if country}
    return EVERYWHERE if "*" in listed else ",".join(sorted(listed))


def all_but(countries: Iterable[str]) -> str:
    return _written(frozenset(countries), True)


def both(one: str, other: str) -> str:
    """Where both reach."""
    (a, not_a), (b, not_b) = _read(one), _read(other)
    if not_a and not_b:
        return _written(a | b, True)
    if not_a:
        return _written(b - a, False)
    return _written(a - b if not_b else a & b, False)


def either(one: str, other: str) -> str:
    """Where one of them reaches."""
    return _turned(both(_turned(one), _turned(other)))


def words(reach: str) -> str:
    """As people say it: `everywhere`, `CA, US`, `everywhere but US`, `nowhere`."""
    countries, inverse = _read(reach)
    listed = ", ".join(sorted(countries))
    if inverse:
        return f"everywhere but {listed}" if listed else "everywhere"
    return listed or "nowhere"


def _read(reach: str) -> tuple[frozenset[str], bool]:
    listed = frozenset(country for country in reach.lstrip("!").split(",") if country not in ("", "*"))
    return listed, reach.startswith(("!", "*"))


def _written(countries: frozenset[str], inverse: bool) -> str:
    listed = ",".join(sorted(countries))
    if inverse:
        return f"!{listed}" if listed else EVERYWHERE
    return listed


def _turned(reach: str) -> str:
    countries, inverse = _read(reach)
    return _written(countries, not inverse)
