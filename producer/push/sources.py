"""The caller's rows, streamed: CSV with a header, JSON lines, or objects of a Python program. UTF-8, a mark (BOM) allowed.

A file that cannot be trusted as a whole (not UTF-8, a NUL byte, a quote never closed, no `to`) is UnusableInput, never
half a campaign. A row that is wrong alone is a list of another length than the others, and `why` says what it is.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain, islice
from pathlib import PurePath
from typing import Protocol

import orjson

from volley.errors import UnusableInput

BLOCK = 1 << 18
MAX_LINE = 1 << 20
"""Bytes of one line. A text has 1,530 characters at most: whatever is longer is not a list of recipients."""

LOOK_AHEAD = 500
"""JSON lines have no header: their columns are the names in this many rows."""

_AHEAD = 1 << 20
"""Characters of them at most, and one line."""

_BOM = b"\xef\xbb\xbf"
_BLANK = " \t\n\r\v\f"
"""What `bytes.lstrip` takes for blank; `str.strip` knows more."""

_DELIMITERS = (",", ";", "\t")

Row = Sequence[str | None]


class Source(Protocol):
    """Rows of one push. `select` comes first, then `rows`, once; `why` and `original` are about the last row only."""

    @property
    def first(self) -> int:
        """What an editor calls the first row, less one."""
        ...

    @property
    def titles(self) -> Sequence[str]:
        """Headings of what `original` gives."""
        ...

    def select(self, names: tuple[str, ...], *perhaps: str) -> tuple[str, ...]:
        """The column of each place of a row, given the names that are wanted; UnusableInput if one does not exist.

        `perhaps`: names that are wanted where they exist.
        """
        ...

    def rows(self) -> Iterator[Row]: ...

    def why(self, row: Row) -> str: ...

    def original(self, row: Row) -> Row: ...

    def blank(self, row: Row) -> bool:
        """Whether nobody would call this a row."""
        ...


class Readable(Protocol):
    """As many bytes as are asked for; fewer before the end only."""

    def read(self, size: int, /) -> bytes: ...


def open_source(stream: Readable, name: str = "stdin", max_line: int = MAX_LINE) -> Source:
    """A CSV or JSON lines source over bytes; which of them, the first character that is not blank tells."""
    head = stream.read(BLOCK)
    start = head.removeprefix(_BOM).lstrip()[:1]
    jsonl = start == b"{" or (PurePath(name).suffix.lower() in (".jsonl", ".ndjson") and start != b"[")
    if not start:
        raise UnusableInput(f"{name} is empty: a CSV file starts with a header row that names a column `to`")
    if start == b"[":
        raise UnusableInput(f"{name} is a JSON array: write one object a line (jq -c '.[]' {name})")
    lines = chain.from_iterable(StringIO(text, newline="") for text in _texts(stream, head, name, max_line))
    if not jsonl:
        return CsvSource(lines, name, max_line)
    ahead = list(_ahead(lines))
    return ObjectSource(_objects(chain(ahead, lines)), name, len(ahead))


def _ahead(lines: Iterator[str]) -> Iterator[str]:
    """The lines that tell the columns; fewer where they are long, as all of them are in memory at once."""
    size = 0
    for line in islice(lines, LOOK_AHEAD):
        yield line
        size += len(line)
        if size >= _AHEAD:
            return


def _texts(stream: Readable, head: bytes, name: str, max_line: int) -> Iterator[str]:
    """Whole lines, decoded, a block at a time."""
    data = head.removeprefix(_BOM)
    offset, line, rest = len(head) - len(data), 1, b""
    while data:
        rest += data
        # a CR at the very end may be half of a CRLF
        cut = max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, -1)) + 1
        if cut:
            yield _decode(rest[:cut], offset, line, name)
            line += rest.count(b"\n", 0, cut)
        offset, rest = offset + cut, rest[cut:]
        if len(rest) > max_line:
            raise UnusableInput(f"{name}: line {line} is longer than {max_line:,} bytes: this is no list of recipients")
        data = stream.read(BLOCK)
    if rest:
        yield _decode(rest, offset, line, name)


def _decode(block: bytes, offset: int, line: int, name: str) -> str:
    nul = block.find(b"\0")
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError as error:
        bad, what = error.start, f"is not UTF-8 (0x{block[error.start]:02x}): save it as UTF-8"
    else:
        if nul < 0:
            return text
        bad, what = nul, "holds a NUL byte: it is not a text file, or it is damaged"
    raise UnusableInput(f"{name} {what}; byte {offset + bad:,}, line {line + block.count(10, 0, bad)}")


class CsvSource:
    """CSV after RFC 4180, read strictly; comma, semicolon or tab, whichever the header uses.

    A row may have as many characters as a line has bytes: quotes make one row of any number of lines.
    """

    def __init__(self, lines: Iterator[str], name: str, max_row: int = MAX_LINE) -> None:
        self.name, self.first = name, 1
        self._max_row, self._size = max_row, 0
        header = next(lines)
        while not header.strip(_BLANK):
            header, self.first = next(lines), self.first + 1
        self._reader = csv.reader(self._bounded(chain((header,), lines)), strict=True, delimiter=_delimiter(header))
        self.titles = tuple((title or "").strip() for title in next(self.rows()))
        self._check_header()

    def _check_header(self) -> None:
        named = [title for title in self.titles if title]
        twice = next((title for title in named if named.count(title) > 1), None)
        if twice is not None:
            raise UnusableInput(f"{self.name}: two columns are named {twice!r}: rename one")
        if "to" not in named:
            raise UnusableInput(f"{self.name} has no column `to`; its header names: {', '.join(named)[:200]}")

    def select(self, names: tuple[str, ...], *perhaps: str) -> tuple[str, ...]:
        unknown = next((name for name in names if name not in self.titles), None)
        if unknown is not None:
            raise UnusableInput(
                f"the template names {{{unknown}}}, {self.name} has no such column; it has: {', '.join(self.titles)[:200]}"
            )
        return self.titles

    def rows(self) -> Iterator[Row]:
        try:
            for row in self._reader:
                self._size = 0
                yield row
        except csv.Error as error:
            raise UnusableInput(
                f"{self.name}: line {self._reader.line_num}: {error}: is a quote not closed, or not doubled inside quotes?"
            ) from None

    def _bounded(self, lines: Iterator[str]) -> Iterator[str]:
        """Lines, as long as those of one row are not too many."""
        for line in lines:
            self._size += len(line)
            if self._size > self._max_row:
                raise UnusableInput(
                    f"{self.name}: the row that ends in line {self._reader.line_num + 1} or later has more than "
                    f"{self._max_row:,} characters: is a quote not closed?"
                )
            yield line

    def why(self, row: Row) -> str:
        return f"{len(row)} cells where the header has {len(self.titles)}"

    def original(self, row: Row) -> Row:
        return row

    def blank(self, row: Row) -> bool:
        # spreadsheets leave lines of bare commas behind
        return not any(cell and not cell.isspace() for cell in row)


def _delimiter(header: str) -> str:
    """The first that yields a column `to`; many spreadsheets write semicolons."""
    for delimiter in _DELIMITERS:
        if "to" in (cell.strip(' "\r\n') for cell in header.split(delimiter)):
            return delimiter
    return ","


class ObjectSource:
    """Rows as objects: lines of a JSON lines file (a line that is no object comes as it stands), or dicts."""

    def __init__(
        self, items: Iterable[Mapping[str, object] | str], name: str = "the rows", ahead: int = LOOK_AHEAD
    ) -> None:
        self.name, self.first, self.titles = name, 0, ("line",)
        iterator = iter(items)
        self._head = list(islice(iterator, ahead))
        self._items = chain(self._head, iterator)
        self._known = {key for item in self._head if not isinstance(item, str) for key in item}
        self._current: Mapping[str, object] | str = ""
        self._wanted: tuple[str, ...] = ("to", "reference")
        if "to" not in self._known:
            raise UnusableInput(f"{name}: {_no_recipient(self._head)}")

    def select(self, names: tuple[str, ...], *perhaps: str) -> tuple[str, ...]:
        unknown = next((name for name in names if name not in self._known), None)
        if unknown is not None:
            raise UnusableInput(
                f"the template names {{{unknown}}}, and none of the first {len(self._head)} rows of {self.name} has it; "
                "write null where a row has no value"
            )
        self._wanted = tuple(dict.fromkeys(("to", "reference", *names, *perhaps)))
        return self._wanted

    def rows(self) -> Iterator[Row]:
        wanted = self._wanted
        for item in self._items:
            self._current = item
            if isinstance(item, str):
                yield ["not a JSON object"] if item.strip() else []
                continue
            row = [item.get(name) for name in wanted]
            if all(value.__class__ is str for value in row):
                yield row  # type: ignore[misc]  # just looked
            else:
                yield _plain(row, wanted)

    def why(self, row: Row) -> str:
        return row[0] or ""

    def original(self, row: Row) -> Row:
        item = self._current
        if isinstance(item, str):
            return [item.rstrip("\r\n")]
        try:
            return [orjson.dumps(item, default=str).decode()]
        except orjson.JSONEncodeError:  # it writes less deeply than it reads
            return ["an object that is nested too deeply to be shown"]

    def blank(self, row: Row) -> bool:
        return not row


def _no_recipient(head: Sequence[Mapping[str, object] | str]) -> str:
    """What is amiss with the first rows, as none of them names a `to`. Never what stands in them."""
    if any(not isinstance(item, str) for item in head):
        return f"none of the first {len(head)} rows is an object with a `to`"
    for line, item in enumerate(head, 1):
        if isinstance(item, str) and item.strip():
            try:
                orjson.loads(item)
            except orjson.JSONDecodeError as error:
                return f"line {line} is not JSON: {error.msg}; each line is an object with a `to`"
            return f"line {line} is JSON and no object: each line is an object with a `to`"
    return "there are no rows: each line is an object with a `to`"


def _plain(row: list[object], names: tuple[str, ...]) -> list[str | None]:
    """Texts, whole numbers and null; anything else is a reason to refuse the row, as its spelling is not known."""
    plain: list[str | None] = []
    for value, name in zip(row, names, strict=True):
        if value is not None and (not isinstance(value, str | int) or isinstance(value, bool)):
            return [f"{name} is neither a text nor a whole number: write it in quotes"]
        plain.append(None if value is None else str(value))
    return plain


def _objects(lines: Iterable[str]) -> Iterator[Mapping[str, object] | str]:
    for line in lines:
        try:
            item = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield line
        else:
            yield item if isinstance(item, dict) else line
