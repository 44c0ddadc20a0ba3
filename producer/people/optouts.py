"""Opt-out lists of other systems on their way in: a number a line, or a file as `volley send` reads it."""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from phonenumbers import SUPPORTED_REGIONS

from producer.push.sources import open_source
from volley.errors import UnusableInput
from volley.numbers import NotSendable, e164, parse
from volley.outbox.outbox import Outbox

_LARGEST = 256 << 20


class OptOuts(NamedTuple):
    """`rejected`: line numbers and reasons; never the number itself."""

    numbers: list[int]
    rejected: list[tuple[int, str]]


def read(file: Path, region: str | None) -> OptOuts:
    """The numbers of a file, `-` for stdin, each once.

    Raises:
        UnusableInput: a file that cannot be read, is not UTF-8, or a region that does not exist.
    """
    place = region.upper() if region else None
    if place is not None and place not in SUPPORTED_REGIONS:
        raise UnusableInput(f"region {region!r} is no country: use two letters such as US or DE")
    if str(file) == "-":
        return _parse(_cells(sys.stdin.buffer, "stdin"), place)
    try:
        with file.open("rb") as stream:
            return _parse(_cells(stream, str(file)), place)
    except OSError as error:
        raise UnusableInput(f"{file}: {error.strerror}") from None


def one(number: str, region: str | None) -> int:
    """One number, as `read` would take it. Raises UnusableInput."""
    try:
        return parse(number, region.upper() if region else None)
    except NotSendable as error:
        raise UnusableInput(f"this is no number: {error.reason}; write it as +12025550123, or add --region") from None


def _cells(stream: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """(line, number as it stands there)."""
    data = stream.read(_LARGEST)
    try:
        lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{name} is not UTF-8; byte {error.start:,}: save it as UTF-8") from None
    first = lines[0] if lines else ""
    if first.lstrip().startswith("{") or "to" in [cell.strip(' "') for cell in first.replace(";", ",").split(",")]:
        yield from _column(data, name)
    else:
        yield from ((place, line.strip()) for place, line in enumerate(lines, 1) if line.strip())


def _column(data: bytes, name: str) -> Iterator[tuple[int, str]]:
    source = open_source(BytesIO(data), name)
    column = source.select(()).index("to")
    for place, row in enumerate(source.rows(), source.first + 1):
        if row:
            yield place, (row[column] or "") if len(row) > column else ""


def _parse(cells: Iterator[tuple[int, str]], region: str | None) -> OptOuts:
    numbers: dict[int, None] = {}
    rejected = []
    for place, cell in cells:
        try:
            numbers[parse(cell, region)] = None
        except NotSendable as error:
            rejected.append((place, error.reason))
    return OptOuts(list(numbers), rejected)


async def everyone(outbox: Outbox, profile: str) -> list[str]:
    """All who opted out of a profile, as E.164, in no order."""
    index = await outbox.profile_index(profile)
    if index is None:
        raise UnusableInput(f"profile {profile} is not known: run volley numbers sync --profile {profile}")
    members = await outbox.redis.smembers(outbox.keys.of("optout", index))
    return [e164(int(member)) for member in members]
