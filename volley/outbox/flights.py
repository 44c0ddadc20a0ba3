"""Flights, refs and outcomes as they are packed between the worker and Lua. One layout each, told in lua/lib.lua."""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from volley.errors import VolleyError
from volley.outbox.chunks import Chunk

VERSION = 1
REF = Struct(">IHBBBBQ")
"""chunk, offset, parts, attempt, spent, generation, recipient."""
RECORD = Struct(">IBIHBBBBQI")
"""sender index, campaign ordinal, then as REF, µs from take to its moment."""
OUTCOME = Struct(">HcBIBi")
"""position, new state, flags, delay µs, parts, cost in micro-units (-1: not known)."""
_CLOSED = ord("-")

OTHER_SENDER = 1
"""The person's pin to this sender goes."""
NO_ATTEMPT = 2
"""Nothing was tried: the grant came too late, or was given back."""
AT_HEAD = 4
"""Back to the head of its lane."""
NOT_SPENT = 8
"""Tried, but not the message's fault: throttled, or the carrier could not be reached."""


class Grant(NamedTuple):
    """One message that may be sent, at `moment_us` of the server's clock, by `sender` (an index).

    `attempt` counts its grants, `spent` those that count against it; both include this one.
    """

    position: int
    campaign: str
    sender: int
    chunk: int
    offset: int
    parts: int
    attempt: int
    spent: int
    generation: int
    to: int
    moment_us: int


class Flight(NamedTuple):
    """What take answered. `hungry` campaigns want their next chunk planned; `why` is '', 'ledger', 'hold', 'circuit' or 'idle'.

    `run` is the run id of the server that granted it, `packed` the flight as it is stored there.

    `repeats`: it is of repeat, its messages are unknown and stay so unless the carrier has them; `next_us` is when the next doubt
    is due (0: there is none).
    """

    token: str
    now_us: int
    grants: list[Grant]
    hungry: list[str]
    why: str
    run: str = ""
    packed: bytes = b""
    repeats: bool = False
    next_us: int = 0

    @property
    def probes(self) -> bool:
        """Whether it tries if the carrier is back: the circuit is open."""
        return self.why == "circuit"


def grants(packed: bytes, now_us: int) -> Iterator[Grant]:
    """The messages of a packed flight, in order of their positions."""
    if packed[0] != VERSION:
        raise VolleyError(
            f"a flight is of version {packed[0]}, this release reads {VERSION}: update Volley on this machine"
        )
    count = packed[1]
    ids = [packed[2 + 16 * i : 18 + 16 * i].decode() for i in range(count)]
    at = 2 + 16 * count
    messages = int.from_bytes(packed[at : at + 2], "big")
    records = memoryview(packed)[at + 2 + messages :]
    make = Grant._make
    for position, record in enumerate(RECORD.iter_unpack(records)):
        sender, ordinal, chunk, offset, parts, attempt, spent, generation, to, delay = record
        yield make(
            (position, ids[ordinal], sender, chunk, offset, parts, attempt, spent, generation, to, now_us + delay)
        )


def masked(packed: bytes, closed: Iterable[int]) -> bytes:
    """A packed flight in which these positions are closed."""
    at = 4 + 16 * packed[1]
    mask = bytearray(packed[at : at + int.from_bytes(packed[at - 2 : at], "big")])
    for position in closed:
        mask[position] = _CLOSED
    return packed[:at] + mask + packed[at + len(mask) :]


def refs(index: int, chunk: Chunk) -> bytes:
    """All messages of a chunk as refs, for plan."""
    pack = REF.pack
    return b"".join([pack(index, i, chunk.parts[i], 0, 0, 0, to) for i, to in enumerate(chunk.to)])
