"""Writes recipients.csv: 5,000 rows like a real customer list, the same ones every time.

Nobody can be reached by any of it: each number is from a range that its authority keeps for fiction or examples.

    python examples/make_recipients.py [FILE]
"""

import csv
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
SEED = "Larkspur Energy"
ROWS, DUPLICATES = 5000, 100
FIRST_REFERENCE = 100_001

# Germany: Bundesnetzagentur, notice 148/2021, "Drama Numbers"; Sweden: PTS, numbers for fiction.
GERMANY = [f"1713920{n:03d}" for n in range(100)] + [f"17604069{n:03d}" for n in range(100)]
SWEDEN = [f"701740{n}" for n in range(605, 700)]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CURRENCIES = {"1": "${}", "61": "A${}", "49": "{} €", "46": "{} kr"}
CITIES = {"61": ("Sydney", "Perth", "Hobart"), "49": ("Köln", "Hamburg", "Jena"), "46": ("Malmö", "Gävle", "Umeå")}

Item = TypeVar("Item")


@dataclass(frozen=True)
class Row:
    to: str
    reference: str
    first_name: str
    last_name: str
    city: str
    amount: str
    due_date: str
    note: str


class Chance:
    """Choices that come out the same on every Python: only `random()` itself promises that."""

    def __init__(self, seed: str) -> None:
        self._next = random.Random(seed).random

    def below(self, end: int) -> int:
        return int(self._next() * end)

    def one(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[Item], weights: Sequence[float]) -> Item:
        at = self._next() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            at -= weight
            if at < 0:
                return item
        return items[-1]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        places = sorted((self._next(), place) for place in range(len(items)))
        return [items[place] for _, place in places]


class Customers:
    """Everything of a row but whether its number is any good."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._people = json.loads((HERE / "people.json").read_text("utf-8"))

    def north_american_numbers(self) -> list[str]:
        """NANPA keeps 555-0100 to 555-0199 of every area code for fiction."""
        return self._chance.shuffled(
            [f"1{area}55501{n:02d}" for area in self._people["area_codes"] for n in range(100)]
        )

    def australian_numbers(self) -> list[str]:
        """ACMA's numbers for use in TV shows, films and creative works."""
        return [f"61{mobile[1:]}" for mobile in self._people["australian_mobiles"]]

    def row(self, number: str) -> Row:
        names = self._people["names"]
        people = self._chance.weighted(names, [language["share"] for language in names])
        first = self._chance.one(people["first"])
        code = "1" if number[0] == "1" else number[:2]
        return Row(
            to=self.spelt(number),
            reference="",
            first_name=first,
            last_name=self._chance.one(people["last"]),
            city=self._people["area_codes"][number[1:4]] if code == "1" else self._chance.one(CITIES[code]),
            amount=CURRENCIES[code].format(f"{5 + self._chance.below(1600)}.{self._chance.below(100):02d}"),
            due_date=f"{self._chance.one(MONTHS)} {1 + self._chance.below(28)}",
            note=self._note(dear=people.get("unicode", False)),
        )

    def _note(self, *, dear: bool) -> str:
        """A note; `dear` where the name makes a Unicode text of it anyway, whose parts hold less than half."""
        kinds = ("none", "short", "emoji", "smart", "1", "2", "3", "4")
        shares = (50, 25, 2, 1, 20, 0, 0, 0) if dear else (44, 34, 2.6, 0.9, 12, 5, 1.2, 0.8)
        kind = self._chance.weighted(kinds, shares)
        if kind == "none":
            return ""
        if kind.isdigit():
            return self.sentences(int(kind))
        notes: list[str] = self._people[f"{kind}_notes"]
        return self._chance.one(notes)

    def sentences(self, count: int) -> str:
        return " ".join(self._chance.shuffled(self._people["sentences"])[:count])

    def spelt(self, number: str) -> str:
        """One of the ways in which people write a number, for a list that is read with region US."""
        if number[0] != "1":
            spaced = f"{number[:2]} {number[2:5]} {number[5:]}"
            return self._chance.weighted([f"+{number}", f"+{spaced}", f"011 {spaced}"], [6, 3, 1])
        area, exchange, line = number[1:4], number[4:7], number[7:]
        ways = [
            f"+{number}",
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"{area}.{exchange}.{line}",
            f"1-{area}-{exchange}-{line}",
            f"+1 {area} {exchange} {line}",
            number[1:],
            f" {area} {exchange} {line} ",
        ]
        return self._chance.weighted(ways, [40, 20, 14, 5, 6, 6, 7, 2])


def bad_numbers(chance: Chance) -> list[str]:
    """What no text can be sent to. Landlines, freephone, premium and the mobiles +44 7700 900: Ofcom's numbers for drama."""

    def line() -> str:
        return f"{chance.below(100):02d}"

    return [
        *(f"555-01{line()}" for _ in range(14)),
        *("n/a", "ask her", "unknown", "call the office", "(212) 555-01O7", "1.20256E+10", "see note", "TBD", "-", "?"),
        *("", "", "  ", ""),
        *(f"+999 555 01{line()}" for _ in range(6)),
        *(f"+210 555 01{line()}" for _ in range(4)),
        *(f"+44 20 7946 0{line()}7" for _ in range(10)),
        *(f"+44 909 879 0{line()}3" for _ in range(6)),
        *(f"+44 808 157 0{line()}5" for _ in range(4)),
        *("1-800-555-0199", "+1 800 555 0199"),
        *(f"+44 7700 900{line()}1" for _ in range(5)),
        *(f"(212) 555-01{line()} ext. {n}" for n in (5, 12, 301)),
        *(f"+1212555010{n}; +1212555011{n}" for n in (1, 4)),
        *(f"212-555-01{line()}-0" for _ in range(4)),
    ]


def bad_rows(customers: Customers, chance: Chance, numbers: list[str]) -> list[Row]:
    """Rows that cannot be sent: bad numbers, variables left empty, and notes that no message could hold."""
    by_number = [replace(customers.row(numbers.pop()), to=to) for to in bad_numbers(chance)]
    no_date = [replace(customers.row(numbers.pop()), due_date=chance.one(("", " "))) for _ in range(16)]
    no_amount = [replace(customers.row(numbers.pop()), amount="") for _ in range(8)]
    too_long = [replace(customers.row(numbers.pop()), note=f"{customers.sentences(8)} " * 3) for _ in range(2)]
    return by_number + no_date + no_amount + too_long


def rows() -> list[Row]:
    chance = Chance(SEED)
    customers = Customers(chance)
    numbers = customers.north_american_numbers()
    bad = bad_rows(customers, chance, numbers)
    abroad = customers.australian_numbers() + [f"49{n}" for n in GERMANY[20:180]] + [f"46{n}" for n in SWEDEN[:60]]
    sendable = abroad + numbers[: ROWS - DUPLICATES - len(bad) - len(abroad)]
    good = {number: customers.row(number) for number in sendable}
    again = [replace(good[number], to=customers.spelt(number)) for number in chance.shuffled(sendable)[:DUPLICATES]]
    mixed = chance.shuffled([*good.values(), *again, *bad])
    return [replace(row, reference=f"LE-{FIRST_REFERENCE + place}") for place, row in enumerate(mixed)]


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "recipients.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows())


if __name__ == "__main__":
    main()
