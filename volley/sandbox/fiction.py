"""Numbers that belong to nobody: the ranges that regulators keep free for films and books, one after the other.

NANP: 555-01XX of every area code (35,900 long codes, 700 toll-free). GB, FR, DE: the ranges of Ofcom, ARCEP and the BNetzA.
"""

from collections.abc import Iterator
from pathlib import Path

from volley.errors import UnusableInput
from volley.sandbox.profile_spec import Abroad
from volley.sender import SenderType

AREA_CODES = (Path(__file__).parent / "area_codes.txt").read_text("utf-8").split()
TOLL_FREE_CODES = ("800", "833", "844", "855", "866", "877", "888")

_ABROAD = {"GB": ("+447700900", 3), "FR": ("+33639980", 3), "DE": ("+4917139200", 2)}
"""Country → beginning, and how many digits follow."""

_DIRECTORY_ASSISTANCE = 1212


class Names:
    """Hands out numbers: of each type 555-0100 to 555-0199, then with `beyond` the rest of its exchange 555."""

    def __init__(self, *, beyond: bool = False) -> None:
        lines = [*range(100, 200), *_beyond()] if beyond else range(100, 200)
        self._ranges: dict[str, Iterator[str]] = {
            "long_code": (f"+1{area}555{line:04d}" for line in lines for area in AREA_CODES),
            "toll_free": (f"+1{code}555{line:04d}" for line in lines for code in TOLL_FREE_CODES),
            "short_code": (str(number) for number in range(55_501, 55_600)),
            "alphanumeric": (f"Sandbox {turn:02d}" for turn in range(1, 100)),
        }

    def next(self, kind: SenderType) -> str:
        """Spread over the area codes first, so that an area match finds something in a small pool. Raises UnusableInput."""
        return self._take(kind, f"of type {kind} (beyond_fiction makes others)")

    def abroad(self, country: str) -> str:
        """Raises UnusableInput."""
        if country not in self._ranges:
            begin, digits = _ABROAD[country]
            self._ranges[country] = (f"{begin}{line:0{digits}d}" for line in range(10**digits))
        return self._take(country, f"in {country}")

    def _take(self, name: str, what: str) -> str:
        found = next(self._ranges[name], None)
        if found is None:
            raise UnusableInput(f"the ranges reserved for fiction hold no more numbers {what}")
        return found


def countries(abroad: Abroad) -> Iterator[tuple[str, float]]:
    """Each number that `abroad` asks for, as (country, parts per second)."""
    for country, count, rate in abroad:
        yield from ((country, rate) for _ in range(count))


def _beyond() -> Iterator[int]:
    return (line for line in range(10_000) if not 100 <= line < 200 and line != _DIRECTORY_ASSISTANCE)
