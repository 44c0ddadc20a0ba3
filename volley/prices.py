"""What a part of a text, or a whole MMS, is expected to cost, from a table of dated rates.

Estimates only: the carrier's own figures replace them.

The table that comes with Volley holds PLACEHOLDER figures; operators copy it, enter their contract's rates and name the
copy in the setting `prices`. Rows are never changed once they were in force: a new rate is a new row with its own
`effective_from`. No row means that a price is unknown, never that it is zero.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from volley.errors import UnusableInput
from volley.money import micros
from volley.sender import SenderType, sender_type

COLUMNS = (
    "effective_from",
    "effective_to",
    "currency",
    "country",
    "sender_type",
    "registration",
    "msg_type",
    "direction",
    "carrier",
    "component",
    "unit",
    "amount",
    "source",
)
MessageType = Literal["SMS", "MMS"]
_ANY = "*"
_CLOSED = {
    "registration": {_ANY, "registered", "verified", "unregistered"},
    "msg_type": {_ANY, "SMS", "MMS"},
    "direction": {_ANY, "out", "in"},
    "component": {"rate", "carrier_fee"},
    "unit": {"part", "message"},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One rate or fee of an outgoing message. `country`, `sender_type` and `msg_type` may be `*`, for any."""

    since: date
    currency: str
    country: str
    sender_type: str
    registration: str
    component: str
    amount_micros: int
    msg_type: str = "SMS"
    unit: str = "part"

    def fits(self, country: str, kind: SenderType, msg_type: MessageType) -> bool:
        """An MMS has one part, so its price may stand for either; a text has a price a part."""
        said = self.msg_type in (msg_type, _ANY) and (msg_type == "MMS" or self.unit == "part")
        return said and self.country in (country, _ANY) and self.sender_type in (kind, _ANY)

    @property
    def rank(self) -> tuple[bool, bool, bool, bool, date]:
        """The most specific row wins: country before sender type, registration, type of message, then the newest."""
        country, sender, registration = self.country != _ANY, self.sender_type != _ANY, self.registration != _ANY
        return country, sender, registration, self.msg_type != _ANY, self.since


class Prices:
    """The rows in force on one day, and the answers found so far."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = tuple(rows)
        currencies = sorted({row.currency for row in self._rows})
        if len(currencies) > 1:
            raise UnusableInput(f"the price table mixes currencies ({', '.join(currencies)}): keep a table for each")
        self.currency = currencies[0] if currencies else "USD"
        self._known: dict[tuple[str, SenderType, MessageType], int | None] = {}

    @staticmethod
    def load(path: Path | None = None, today: date | None = None) -> "Prices":
        """The table at `path`, or the one that comes with Volley, as it stands on `today` (UTC).

        Raises:
            UnusableInput: no such file, or a row that cannot be read; says which and why.
        """
        name = str(path or "prices.csv")
        return _in_force(name, _text(path), today or datetime.now(UTC).date())

    def per_part(self, country: str, kind: SenderType) -> int | None:
        """Micro-units a part: rate + expected carrier fee. None where either is unknown."""
        return self._price(country, kind, "SMS")

    def per_mms(self, country: str, kind: SenderType) -> int | None:
        """Micro-units an MMS: as `per_part`, from rows for MMS and for any type of message."""
        return self._price(country, kind, "MMS")

    def _price(self, country: str, kind: SenderType, msg_type: MessageType) -> int | None:
        what = (country, kind, msg_type)
        if what not in self._known:
            rate, fee = (self._best(*what, component) for component in ("rate", "carrier_fee"))
            self._known[what] = None if rate is None or fee is None else rate + fee
        return self._known[what]

    def _best(self, country: str, kind: SenderType, msg_type: MessageType, component: str) -> int | None:
        rows = [row for row in self._rows if row.component == component and row.fits(country, kind, msg_type)]
        return max(rows, key=lambda row: row.rank).amount_micros if rows else None


def _text(path: Path | None) -> str:
    try:
        if path is None:
            return _ours()
        now = path.stat()
        return _read(path, now.st_mtime_ns, now.st_size)
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInput(f"the price table {path} cannot be read: {error}") from None


@lru_cache(maxsize=1)
def _ours() -> str:
    return files(__package__).joinpath("prices.csv").read_text("utf-8-sig")


@lru_cache(maxsize=4)
def _read(path: Path, _mtime_ns: int, _size: int) -> str:
    """What a file holds, read once for as long as it stays as it is: messages that come one by one ask a hundred times a second."""
    return path.read_text("utf-8-sig")


@lru_cache(maxsize=4)
def _in_force(name: str, text: str, today: date) -> Prices:
    """A table, and with it what has been looked up in it before."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise UnusableInput(f"{name}: no column {', '.join(missing)} (one header row: {','.join(COLUMNS)})")
    try:
        rows = tuple(_row(line) for line in reader if _of_use(line, today))
    except (ValueError, csv.Error) as error:
        raise UnusableInput(f"{name}, line {reader.line_num}: {error}") from None
    return Prices(rows)


def _check(line: dict[str, str]) -> None:
    if None in line or None in line.values():
        raise ValueError(f"not {len(COLUMNS)} columns")
    for column, allowed in _CLOSED.items():
        if line[column] not in allowed:
            raise ValueError(f"{column} is {' or '.join(sorted(allowed))}, not {line[column]!r}")
    if line["country"] != _ANY and not (len(line["country"]) == 2 and line["country"].isupper()):
        raise ValueError(f"country is two capital letters or *, not {line['country']!r}")
    _amount(line["amount"])
    _kind(line["sender_type"])


def _of_use(line: dict[str, str], today: date) -> bool:
    """Whether a row is in force today and about outgoing messages. Rows of named carriers are not:
    the carrier is unknown before sending, and what one of them takes says nothing about what is to be expected."""
    _check(line)
    last = line["effective_to"]
    return (
        date.fromisoformat(line["effective_from"]) <= today
        and not (last and date.fromisoformat(last) < today)
        and line["direction"] in (_ANY, "out")
        and line["registration"] != "unregistered"
        and line["carrier"] == _ANY
    )


def _row(line: dict[str, str]) -> Row:
    return Row(
        since=date.fromisoformat(line["effective_from"]),
        currency=line["currency"],
        country=line["country"],
        sender_type=_kind(line["sender_type"]),
        registration=line["registration"],
        component=line["component"],
        amount_micros=micros(_amount(line["amount"])),
        msg_type=line["msg_type"],
        unit=line["unit"],
    )


def _kind(spelling: str) -> str:
    try:
        return spelling if spelling == _ANY else "long_code" if spelling.lower() == "10dlc" else sender_type(spelling)
    except KeyError:
        raise ValueError(
            f"sender_type is long_code, toll_free, short_code, alphanumeric or *, not {spelling!r}"
        ) from None


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"amount is a decimal number like 0.0040, not {text!r}") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"amount is zero or more, not {text!r}")
    return amount
