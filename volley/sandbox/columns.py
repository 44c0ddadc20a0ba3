"""The accepted messages of a run in columns, eight bytes a value: counts, duplicates and times without reading the log."""

from array import array
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple


class Arrival(NamedTuple):
    """One send. `result`: accepted (a new message), replayed (a repeated idempotency key), refused (nothing was taken).

    A send with `send_at` is `scheduled` when it comes; later it stands here once more, with the same `id`: as accepted at
    the moment at which it was sent (`at_us`, `wall_us`), or as cancelled.

    `status` and `code` are those of the answer, or of the answer that a fault then harmed; `fault` is the rule's kind.
    `reference` is the message's own webhook URL. `text_crc` is the CRC-32 of the text. Empty: unknown or none.
    """

    at_us: int
    wall_us: int
    sender: str
    to: str
    parts: int
    id: str
    key: str
    reference: str
    text_crc: int
    status: int
    code: str
    result: str
    fault: str
    type: str = "SMS"


_OUTCOME = itemgetter(*(Arrival._fields.index(name) for name in ("result", "status", "code", "fault")))
_RESULT = Arrival._fields.index("result")

Row = tuple[int, int, str, str, int, str, str, str, int, int, str, str, str, str]
"""An Arrival before it has its name."""


class Columns:
    """`at_us`, `parts`, `to`, `crc` and `sender` (an index into `senders`) of what was accepted; `results` counts all."""

    def __init__(self) -> None:
        self.at_us = array("q")
        self.parts = array("B")
        self.to = array("q")
        self.crc = array("I")
        self.sender = array("I")
        self.senders: dict[str, int] = {}
        self.results: Counter[tuple[str, int, str, str]] = Counter()

    def extend(self, rows: Sequence[Row]) -> None:
        self.results.update(map(_OUTCOME, rows))
        accepted = [row for row in rows if row[_RESULT] == "accepted"]
        if not accepted:
            return
        at_us, _, senders, to, parts, _, _, _, crc, _, _, _, _, _ = zip(*accepted, strict=True)
        self.at_us.extend(at_us)
        self.parts.extend(parts)
        self.to.extend(map(int, to))
        self.crc.extend(crc)
        for name in set(senders).difference(self.senders):
            self.senders[name] = len(self.senders)
        self.sender.extend(map(self.senders.__getitem__, senders))

    def stats(self) -> dict[str, object]:
        """What GET /_sandbox/stats answers of the log."""
        return {
            "accepted": len(self.at_us),
            "parts": sum(self.parts),
            "recipients": len(set(self.to)),
            "duplicates": self.duplicates(),
            "first_us": self.at_us[0] if self.at_us else None,
            "last_us": self.at_us[-1] if self.at_us else None,
            "by_from": self.by_sender(),
            "results": [
                {"result": result, "status": status, "code": code, "fault": fault, "count": count}
                for (result, status, code, fault), count in sorted(self.results.items())
            ],
        }

    def duplicates(self) -> int:
        """Messages accepted beyond the first with the same recipient and text."""
        return len(self.to) - len(set(zip(self.to, self.crc, strict=True)))

    def by_sender(self) -> dict[str, dict[str, int]]:
        messages = Counter(self.sender)
        parts: Counter[int] = Counter()
        for sender, count in zip(self.sender, self.parts, strict=True):
            parts[sender] += count
        return {name: {"messages": messages[at], "parts": parts[at]} for name, at in self.senders.items()}
