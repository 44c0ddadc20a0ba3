"""The messages that a sandbox took: what it needs to know of each again, in columns."""

import uuid
from array import array
from dataclasses import dataclass
from typing import NamedTuple

_DAY_US = 86_400_000_000
_TAIL = 12


@dataclass(slots=True)
class Odd:
    """What is unusual about a message. `as_sms`: an MMS that went as an SMS. `sizes` are those of its media.

    `send_at_us` is the moment it is scheduled for, 0 for none; then `left_us` and `wait_us` are when it was handed to the
    queue and how long it waits there, `cancelled_us` when it was cancelled, `code` why it could not be sent.
    """

    as_sms: bool = False
    sizes: tuple[int, ...] = ()
    send_at_us: int = 0
    left_us: int = 0
    wait_us: int = 0
    cancelled_us: int = 0
    code: str = ""

    @property
    def mms(self) -> bool:
        """Whether it goes as an MMS."""
        return bool(self.sizes) and not self.as_sms

    @property
    def pending(self) -> bool:
        """Whether it is scheduled, and neither sent nor cancelled nor failed yet."""
        return bool(self.send_at_us) and not (self.left_us or self.cancelled_us)


class Taken(NamedTuple):
    """One accepted message: `body` is the request's, exactly; `sender` the index of its number."""

    place: int
    id: str
    wall_us: int
    wait_us: int
    sender: int
    parts: int
    body: bytes
    odd: Odd | None


class Accepted:
    """Message ids are UUIDs of one run that end in the message's place, so that finding one needs no index.

    Without `compares` bodies cannot be compared later, and nobody pays for that.
    """

    def __init__(self, keep: int, *, compares: bool = True) -> None:
        self._prefix = str(uuid.uuid4())[:-_TAIL]
        self._keep = keep
        self._compares = compares
        self._wall_us = array("q")
        self._wait_us = array("q")
        self._sender = array("I")
        self._parts = bytearray()
        self._hash = array("q")
        self._bodies: dict[int, bytes] = {}
        self._odd: dict[int, Odd] = {}

    def __len__(self) -> int:
        return len(self._wall_us)

    def add(self, wall_us: int, wait_us: int, sender: int, parts: int, body: bytes, odd: Odd | None) -> Taken:
        index = len(self._wall_us)
        self._wall_us.append(wall_us)
        self._wait_us.append(wait_us)
        self._sender.append(sender)
        self._parts.append(parts)
        if self._compares:
            self._hash.append(hash(body))
        if self._keep:
            self._bodies[index] = body
            self._bodies.pop(index - self._keep, None)
        if odd is not None:
            self._odd[index] = odd
        return Taken(index, f"{self._prefix}{index:012x}", wall_us, wait_us, sender, parts, body, odd)

    def id(self, index: int) -> str:
        return f"{self._prefix}{index:012x}"

    def find(self, message_id: str) -> int | None:
        """The place of a message of this run."""
        tail = message_id[-_TAIL:]
        if not message_id.startswith(self._prefix) or len(message_id) != len(self._prefix) + _TAIL:
            return None
        if not all(char in "0123456789abcdef" for char in tail):
            return None
        index = int(tail, 16)
        return index if index < len(self) else None

    def get(self, index: int, body: bytes | None = None) -> Taken | None:
        """None where its body is no longer kept and not given."""
        kept = self._bodies.get(index) if body is None else body
        if kept is None:
            return None
        return Taken(
            index,
            self.id(index),
            self._wall_us[index],
            self._wait_us[index],
            self._sender[index],
            self._parts[index],
            kept,
            self._odd.get(index),
        )

    def same_body(self, index: int, body: bytes) -> bool:
        return self._hash[index] == hash(body)

    def older_than_a_day(self, index: int, wall_us: int) -> bool:
        return wall_us - self._wall_us[index] > _DAY_US


class Keys:
    """Idempotency keys → places. Holds the last `remember` at least and twice as many at most; 0 holds none."""

    def __init__(self, remember: int) -> None:
        self._remember = remember
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self.in_flight: set[bytes] = set()

    def find(self, key: bytes) -> int | None:
        index = self._young.get(key)
        return self._old.get(key) if index is None else index

    def put(self, key: bytes, index: int) -> None:
        if not self._remember:
            return
        if len(self._young) >= self._remember:
            self._old, self._young = self._young, {}
        self._young[key] = index
