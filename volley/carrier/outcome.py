"""What one POST came to: a closed set of values. A `match` over them ends in `assert_never`.

What was on the wire decides. Nobody here says what happens next: that is policy (codes.py) and the worker's.
No outcome carries a phone number or a message's text, so all of them may be recorded and shown.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Scope = Literal["sender", "group", "profile", "account"]
"""`group`: all senders of a registered campaign; where a sender is in none, it alone."""


class Accepted(NamedTuple):
    """A complete 2xx status line came back. Where the body says nothing readable: None, "", 0 parts.

    A tuple and no dataclass, as it is made for nearly every message and takes a quarter of the time so.

    `encoding` is GSM-7 or UCS-2 (or the carrier's own word), money is micro-units, `wait_s` the queueing that the carrier
    expects, `sender` the number that it chose or was given.
    """

    carrier_id: str | None = None
    encoding: str = ""
    parts: int = 0
    cost_micros: int | None = None
    rate_micros: int | None = None
    fee_micros: int | None = None
    currency: str = ""
    wait_s: float = 0.0
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The carrier said no to this POST, so it was provably not accepted. `codes.policy` says what follows.

    `own`: it is about what this message alone carries, so that nobody else need stop for it.
    """

    status: int
    code: str
    text: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Provably not accepted, and nothing of this scope should be tried again for `wait_s` seconds."""

    wait_s: float
    scope: Scope
    status: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not one byte of the request went out. `reason` is LATE or one of a few fixed words about the way there."""

    reason: str


@dataclass(frozen=True, slots=True)
class PerhapsSent:
    """Bytes went out and no usable answer came back. `status` is 0 where not even a status line was read."""

    reason: str
    status: int


Outcome = Accepted | Refused | Throttled | NotSent | PerhapsSent

LATE = "late"
"""The reason of a NotSent whose moment had passed before the request could be written: no fault of the network."""

UNREACHABLE = frozenset(
    {
        "no connection",
        "no connection in time",
        "no secure connection",
        "the carrier's name was not found",
    }
)
"""Reasons of a NotSent that say that nothing can be sent by this way just now. A line that was merely closed does not."""
