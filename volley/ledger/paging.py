"""Long lists in pieces that a statement or a command can carry."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

PAGE = 500
"""Values of one IN list: far below the parameter limits of SQLite and PostgreSQL."""


def pages(items: Sequence[Item], size: int = PAGE) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
