"""A push's rows as HTTP lets them in: so many and no more, and for a test the first of them to other people."""

from collections.abc import Iterator, Sequence

from producer.push.sources import Row, Source
from producer.web.problems import TOO_LARGE, Problem

MOST_COLUMNS = 200
MAX_LINE = 64 << 10
"""Bytes of a row. A text has 1,530 characters at most."""


class Bounded:
    """A source that ends in a Problem (413) at the row that is one too many."""

    def __init__(self, source: Source, most: int) -> None:
        if len(source.titles) > MOST_COLUMNS:
            raise Problem(TOO_LARGE, f"the header names more than {MOST_COLUMNS} columns: leave out what no text needs")
        self._source = source
        self._most = most
        self.first, self.titles = source.first, source.titles
        self.select, self.why = source.select, source.why
        self.original, self.blank = source.original, source.blank

    def rows(self) -> Iterator[Row]:
        left = self._most
        for row in self._source.rows():
            if not left:
                raise Problem(TOO_LARGE, f"more than {self._most:,} rows: send them in several pushes")
            left -= 1
            yield row


class ForTesters:
    """The first rows of a source, sent to testers in the place of those whom they are meant for."""

    def __init__(self, source: Source, testers: Sequence[str]) -> None:
        self._source = source
        self._testers = testers
        self._to = self._width = 0
        self.first, self.titles = source.first, source.titles
        self.why, self.original, self.blank = source.why, source.original, source.blank

    def select(self, names: tuple[str, ...], *perhaps: str) -> tuple[str, ...]:
        places = self._source.select(names, *perhaps)
        self._to, self._width = places.index("to"), len(places)
        return places

    def rows(self) -> Iterator[Row]:
        """A row of another length than the others comes as it is: it is refused as in a push, and the tester gets the next."""
        testers = list(reversed(self._testers))
        for row in self._source.rows():
            if not testers:
                return
            if self._source.blank(row) or len(row) != self._width:
                yield row
            else:
                yield [*row[: self._to], testers.pop(), *row[self._to + 1 :]]
