"""Flights, refs and outcomes as they are packed between the worker and Lua. One layout each, told in lua/lib.lua."""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from volley.errors import VolleyError
from volley.outbox.chunks import Chunk

VERSION = 1
REF = Struct(">IHBBBQ")
"""chunk, offset, parts, attempt, generation, recipient."""
RECORD = Struct(">IBIHBBBQI")
"""sender index, campaign ordinal, chunk, offset, parts, attempt, generation, recipient, µs from take to its moment."""
OUTCOME = Struct(">HcBIBi")
"""position, new state, flags, delay µs, parts, cost in micro-units (-1: not known)."""

OTHER_SENDER = 1
NO_ATTEMPT = 2
AT_HEAD = 4


class Grant(NamedTuple):
    """One message that may be sent, at `moment_us` of the server's clock, by `sender`."""

    position: int
    campaign: str
    sender: int
    chunk: int
    offset: int
    parts: int
    attempt: int
    generation: int
    to: int
    moment_us: int


class Flight(NamedTuple):
    """What take answered. `hungry` campaigns want their next chunk planned; `why` is '', 'ledger' or 'idle'."""

    token: str
    now_us: int
    grants: list[Grant]
    hungry: list[str]
    why: str


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
    for position, record in enumerate(RECORD.iter_unpack(records)):
        sender, ordinal, chunk, offset, parts, attempt, generation, to, delay = record
        yield Grant(position, ids[ordinal], sender, chunk, offset, parts, attempt, generation, to, now_us + delay)


def refs(index: int, chunk: Chunk) -> bytes:
    """All messages of a chunk as refs, for plan."""
    pack = REF.pack
    return b"".join([pack(index, i, chunk.parts[i], 0, 0, to) for i, to in enumerate(chunk.to)])
