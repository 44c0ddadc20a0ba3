"""Rows about one message made one before they are written, as the database would merge them (merge.py). Pure.

A batch often tells of a message three times: its attempt, that it was sent, that it was delivered. Where only the order of two
words would decide, both rows stay: databases order words by rules of their own.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from volley.ledger.merge import EARLIEST, LATEST, MESSAGE
from volley.ledger.rows import Place, Row

_place = itemgetter("campaign_id", "chunk", "offset")
_REGISTERS = [(each.key[0], each.key[1:], each.key + each.payload) for each in MESSAGE]


def folded(rows: Iterable[Row]) -> list[Row]:
    """`rows` are of `messages`, and stay as they are."""
    held: dict[Place, Row] = {}
    apart: list[Row] = []
    for row in rows:
        place = _place(row)
        before = held.get(place)
        both = _merged(before, row) if before is not None else row
        if both is None:
            apart.append(row)
        else:
            held[place] = both
    return [*held.values(), *apart]


def _merged(old: dict[str, Any], new: dict[str, Any]) -> Row | None:
    """None: it is not for us to say which counts."""
    taken: dict[str, Any] = {}
    for first, others, columns in _REGISTERS:
        mine, theirs = new[first], old[first]
        if mine == theirs:
            ahead = _ahead([(new[name], old[name]) for name in others])
        elif isinstance(mine, str):
            ahead = _ahead([(mine, theirs)])
        else:
            ahead = mine > theirs
        if ahead is None:
            return None
        if ahead:
            for name in columns:
                taken[name] = new[name]
    taken.update(_moments(old, new))
    return old | taken


def _ahead(pairs: list[tuple[Any, Any]]) -> bool | None:
    """Whether the first of each pair is more, the pairs in turn; None where only words that differ would tell."""
    for mine, theirs in pairs:
        if mine == theirs:
            continue
        if mine is None or theirs is None:
            return None
        if isinstance(mine, str) and mine and theirs:
            return None
        return bool(mine > theirs)
    return False


def _moments(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for names, later in ((LATEST, True), (EARLIEST, False)):
        for name in names:
            mine, theirs = new[name], old[name]
            if mine is not None and (theirs is None or (mine > theirs) is later):
                yield name, mine
