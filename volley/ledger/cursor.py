"""A place in the feed: behind one event. What others get of it is an opaque word, which is also that event's id."""

import re
from typing import NamedTuple, Self

from volley.errors import UnusableInput

_WORD = re.compile(r"(\d{1,18})\.(\d{1,4})")
A_ROW = 500
"""Events that a row of the feed holds at most."""


class Cursor(NamedTuple):
    """Row, and place in it, of the last event that was read."""

    position: int
    place: int

    def __str__(self) -> str:
        return f"{self.position}.{self.place}"

    @classmethod
    def behind(cls, position: int) -> Self:
        """Behind all events of a row."""
        return cls(position, A_ROW)

    @classmethod
    def before(cls, word: str) -> Self:
        """Behind whatever comes before the event that has this id. Raises UnusableInput as `parse` does."""
        position, place = cls.parse(word)
        return cls(position, place - 1) if place else cls.behind(position - 1)

    @classmethod
    def parse(cls, word: str) -> Self:
        """Raises UnusableInput for what is no cursor of ours."""
        found = _WORD.fullmatch(word)
        if found is None:
            raise UnusableInput(
                "no cursor of the feed: give the id of the last event you have, or next_cursor as it came"
            )
        return cls(int(found[1]), int(found[2]))


START = Cursor(0, A_ROW)
"""Before the first event that there ever was."""
