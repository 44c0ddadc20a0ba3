"""Which of the carrier's records may be that of a message of which nobody knows whether it was sent. Pure.

A record has no reference of ours, so this is never proof: same sender, same recipient, made when the POST may have
arrived. `alone` says that neither side has another candidate. Whoever resolves messages by it decides what is enough.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from volley.carrier.records_api import DetailRecord


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message whose POST may have arrived between two moments (µs). `sender` "" or of the carrier's choice: any."""

    message_id: str
    profile: str
    sender: str
    to: str
    earliest_us: int
    latest_us: int

    def may_be(self, record: DetailRecord) -> bool:
        return (
            record.to == self.to
            and (record.sender == self.sender or not self.sender or self.sender.startswith("pool:"))
            and (record.profile == self.profile or not record.profile or not self.profile)
            and self.earliest_us <= record.created_us <= self.latest_us
        )


@dataclass(frozen=True, slots=True)
class Likely:
    """`uuid`: the carrier's id that the message probably has. `alone`: nothing else could be meant, on either side."""

    uuid: str
    message_id: str
    alone: bool


def likely_answers(records: Iterable[DetailRecord], unknown: Sequence[Unknown]) -> list[Likely]:
    """Pairs of records and messages, each of both at most once; of several candidates those nearest in time."""
    by_person: dict[str, list[Unknown]] = defaultdict(list)
    for message in unknown:
        by_person[message.to].append(message)
    pairs = [
        (record, message) for record in records for message in by_person.get(record.to, []) if message.may_be(record)
    ]
    return list(_paired(pairs))


def _paired(pairs: Sequence[tuple[DetailRecord, Unknown]]) -> Iterator[Likely]:
    rivals: dict[str, int] = defaultdict(int)
    for record, message in pairs:
        rivals[record.uuid] += 1
        rivals[message.message_id] += 1
    used: set[str] = set()
    for record, message in sorted(pairs, key=_distance):
        names = {record.uuid, message.message_id}
        if not names & used:
            used |= names
            yield Likely(record.uuid, message.message_id, all(rivals[name] == 1 for name in names))


def _distance(pair: tuple[DetailRecord, Unknown]) -> tuple[int, str, str]:
    record, message = pair
    return abs(record.created_us - message.earliest_us), record.uuid, message.message_id
