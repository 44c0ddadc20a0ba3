"""Where words go: results to stdout (tables for people, one JSON object for programs), everything else to stderr.

Tables are drawn by rich only when stdout is a terminal; otherwise they are plain text in columns.
"""

import sys
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size
from typing import Any

import orjson


def emit(document: object) -> None:
    """One JSON object on stdout, on one line."""
    sys.stdout.buffer.write(orjson.dumps(document, default=str) + b"\n")
    sys.stdout.buffer.flush()


def say(text: str) -> None:
    """A line of the result."""
    print(text, flush=True)


def note(text: str) -> None:
    """A line beside the result."""
    print(text, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """A table; cells that hold numbers stand to the right."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    right = [bool(cells) and all(_numeric(row[place]) for row in cells) for place in range(len(columns))]
    if sys.stdout.isatty():
        _draw(columns, cells, right, title)
        return
    if title:
        print(f"\n{title}")
    widths = [max(len(line[place]) for line in [list(columns), *cells]) for place in range(len(columns))]
    for line in [list(columns), *cells]:
        print("  ".join(_pad(cell, widths[place], right[place]) for place, cell in enumerate(line)).rstrip())
    sys.stdout.flush()


def facts(pairs: Iterable[tuple[str, object]], *, title: str = "") -> None:
    """Names and values, one pair a line."""
    known = [(name, str(value)) for name, value in pairs]
    if title:
        print(f"\n{title}")
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        print(f"{name:<{width}}  {value}".rstrip())
    sys.stdout.flush()


def flat(document: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    """`features.sms.domestic_two_way` and the like as lines of their own."""
    pairs: list[tuple[str, object]] = []
    for name, value in document.items():
        if isinstance(value, dict) and value:
            pairs += flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            pairs.append((prefix + name, ", ".join(map(str, value)) or "-"))
        else:
            pairs.append((prefix + name, "-" if value in (None, "", {}) else value))
    return pairs


def span(seconds: float | None) -> str:
    """A length of time as people say it: `45s`, `12m 30s`, `3h 05m`, `12d 04h`; `-` where nobody knows."""
    if seconds is None or seconds < 0:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, rest = divmod(minutes, 60)
    return f"{hours}h {rest:02d}m" if hours < 100 else f"{hours // 24}d {hours % 24:02d}h"


class Progress:
    """One line on stderr that is written over; silent unless stderr is a terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        if self._on:
            width = get_terminal_size().columns - 1
            print(f"\r\033[2K{text[:width]}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            print("\r\033[2K", end="", file=sys.stderr, flush=True)
            self._shown = False


def _draw(columns: Sequence[str], cells: list[list[str]], right: list[bool], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for place, name in enumerate(columns):
        drawn.add_column(name, justify="right" if right[place] else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _pad(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _numeric(cell: str) -> bool:
    head = cell.split(" ", 1)[0].lstrip("-+").rstrip("%").replace(",", "").replace(".", "", 1)
    return cell in {"", "-"} or (head.isdigit() and not cell.startswith("+"))
