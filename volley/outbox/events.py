"""What the ledger stream carries: one entry a batch, packed by whoever saw it happen, unpacked by the recorder.

Entry fields (bytes): `v` version · `k` kind · the rest by kind:

* `sealed`    `c` Campaign JSON
* `attempts`  `p` msgpack list of AttemptRecord · `m` one byte a record: the state that the message has now, `-` = the
              record was refused by the script (stale token, illegal move) and changes no state
* `moves`     `p` packed MOVE records (made by Lua: nobody but Redis saw it) · `w` why: reap, poison, redrive, cancel, expire,
              opt_out, settle · `t` time, µs
* `receipts`  `p` msgpack list of ReceiptRecord
* `optouts`   `p` a line a person: profile id, recipient, 1 (wants nothing more) or 0 (wants to hear again), time µs
* `inbound`   `p` msgpack list of InboundRecord (inbound.py)
* `unreadable` `b` a signed webhook's body that is no event · `e` what is wrong with it · `t` time, µs
* `campaign`  `c` campaign id · `s` paused, resumed, cancelled, expired · `t` time, µs
* `event`     `c` campaign id · `e` what happened to it that changes no state: finished, changed, auto_paused, budget_reached ·
              `d` JSON of what there is to say of it · `t` time, µs
* `action`    `p` JSON of who did what (actions.py) · `t` time, µs
"""

from struct import Struct
from typing import NamedTuple

import msgpack

VERSION = b"1"
MOVE = Struct(">16sIHcIB")
"""campaign id, chunk, offset, new state byte, sender index (NOBODY: none), attempt (0: none)."""
NOBODY = 0xFFFFFFFF


class AttemptRecord(NamedTuple):
    """One POST and what it came to. Times µs, money micro-units; -1 or "" where nobody knows."""

    campaign: str
    chunk: int
    offset: int
    attempt: int
    to: int
    reference: str | None
    sender: str
    encoding: str
    parts: int
    estimated_micros: int
    taken_us: int
    sent_us: int
    answered_us: int
    outcome: str
    http_status: int
    error_code: str
    error_text: str
    carrier_id: str
    carrier_encoding: str
    carrier_parts: int
    cost_micros: int
    rate_micros: int
    fee_micros: int
    currency: str


class ReceiptRecord(NamedTuple):
    """One verified webhook event about an outbound message. `campaign` is "" where no reference of ours came with it."""

    event_id: str
    event_type: str
    occurred_us: int
    received_us: int
    campaign: str
    chunk: int
    offset: int
    carrier_id: str
    status: str
    sender: str
    to: str
    encoding: str
    parts: int
    cost_micros: int
    rate_micros: int
    fee_micros: int
    currency: str
    sent_us: int
    completed_us: int
    error_code: str
    error_text: str


def pack(records: list[AttemptRecord] | list[ReceiptRecord]) -> bytes:
    packed: bytes = msgpack.packb(records)
    return packed


def unpack_attempts(data: bytes) -> list[AttemptRecord]:
    return [AttemptRecord(*fields) for fields in msgpack.unpackb(data)]


def unpack_receipts(data: bytes) -> list[ReceiptRecord]:
    return [ReceiptRecord(*fields) for fields in msgpack.unpackb(data)]
