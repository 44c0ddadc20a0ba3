"""Senders as people name them: +E.164, a short code, an alphanumeric sender ID. Their shapes tell which is which."""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from volley.carrier.alphanumeric import keeps_rules
from volley.errors import UnusableInput

Shape = Literal["number", "short_code", "alphanumeric"]

_LARGEST = 16 << 20
_SHOWN = 10
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_NO_PLUS = re.compile(r"[0-9]{9,15}")


@dataclass(frozen=True, slots=True)
class Named:
    """`name` as the carrier writes it."""

    name: str
    shape: Shape


class Names(NamedTuple):
    """Each once, in order; `repeated` were there more than once."""

    senders: list[Named]
    repeated: int

    def of(self, shape: Shape) -> list[str]:
        return [each.name for each in self.senders if each.shape == shape]


def named(word: str) -> Named:
    """One sender. Raises UnusableInput that says how to write it."""
    name = word.strip()
    if _NUMBER.fullmatch(name):
        return Named(name, "number")
    if _SHORT_CODE.fullmatch(name):
        return Named(name, "short_code")
    if alphanumeric(name):
        return Named(name, "alphanumeric")
    if _NO_PLUS.fullmatch(name):
        raise UnusableInput(f"{name!r} has no plus: write +{name}")
    raise UnusableInput(
        f"{name[:30]!r} is no sender: write +E.164 (+13125550100), a short code (3 to 8 digits), or an alphanumeric ID "
        "(1 to 11 letters, digits and spaces, at least one letter)"
    )


def alphanumeric(name: str) -> bool:
    """Whether that may be an alphanumeric sender ID."""
    return keeps_rules(name)


def read(words: Iterable[str], file: Path | None = None) -> Names:
    """The senders of a command line and of a file (one a line; `-` is stdin).

    Raises:
        UnusableInput: a file that cannot be read, nothing in it, or anything that is no sender: then none is taken.
    """
    found: dict[Named, None] = {}
    wrong: list[str] = []
    total = 0
    for place, word in (*(("", word) for word in words), *(_lines(file) if file is not None else ())):
        total += 1
        try:
            found[named(word)] = None
        except UnusableInput as error:
            wrong.append(f"{place}{error}")
    if wrong:
        more = f" … and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise UnusableInput(f"nothing was changed: {'; '.join(wrong[:_SHOWN])}{more}")
    if not found:
        raise UnusableInput("name a sender, or a file of them with --file")
    return Names(list(found), total - len(found))


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    lines = _text(file).splitlines()
    return ((f"line {place}: ", line) for place, line in enumerate(lines, 1) if line.strip())


def _text(file: Path) -> str:
    name = "stdin" if str(file) == "-" else str(file)
    try:
        data = sys.stdin.buffer.read(_LARGEST) if name == "stdin" else file.read_bytes()[:_LARGEST]
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{name} is not UTF-8; byte {error.start:,}: save it as UTF-8") from None
    except OSError as error:
        raise UnusableInput(f"{file}: {error.strerror}") from None
