"""How far a message has come, as one number that only grows: what makes any order and any repetition end the same.

A row's rank is the greatest that any report gave it; what a person redrives begins anew (redriven.py). Legal moves only climb,
with one exception that the table expresses too: `submitted` stands above every end that was reached without the carrier, as
Accepted always merges.
"""

from volley.state import STATUS, State

RANKS: dict[str, int] = {
    "ready": 0,
    "sending": 10,
    "unknown": 20,
    "expired": 30,
    "cancelled": 31,
    "opted_out": 32,
    "dead": 33,
    "refused": 34,
    "submitted": 40,
    "unconfirmed": 50,
    "undelivered": 51,
    "delivered": 52,
}
"""Numbers are stored: add between them, never change one. Two contradicting finals: the better news stays."""

SUBMITTED = RANKS["submitted"]
WITHDRAWN = 45
"""Cancelled too, but at the carrier, which had taken the message and kept it until its time."""
STATUS_OF: dict[int, str] = {rank: status for status, rank in RANKS.items()} | {WITHDRAWN: "cancelled"}
FINAL = RANKS["unconfirmed"]
"""From here on a receipt has had the last word."""

RANK_OF_STATE: dict[str, int] = {state: RANKS[status] for state, status in STATUS.items()}

REFUSED_BY_SCRIPT = -1
"""Rank of an attempt that came too late: it is kept, and moved nothing."""

_CARRIER: dict[str, int] = {
    "delivered": RANKS["delivered"],
    "delivery_failed": RANKS["undelivered"],
    "sending_failed": RANKS["undelivered"],
    "expired": RANKS["undelivered"],
    "delivery_unconfirmed": RANKS["unconfirmed"],
    "cancelled": WITHDRAWN,
}
"""Telnyx's `to[].status` (messaging API, OutboundMessagePayload). Every other one only says that the carrier has it."""


def rank_of_mark(mark: str) -> int:
    """Rank of a state byte as settle answered it; `-` is REFUSED_BY_SCRIPT. KeyError for a byte that is no state."""
    return REFUSED_BY_SCRIPT if mark == "-" else RANK_OF_STATE[mark]


def rank_of_receipt(carrier_status: str) -> int:
    """Rank that a webhook's status proves: at the least that the carrier took the message."""
    return _CARRIER.get(carrier_status, SUBMITTED)


def sql_status() -> str:
    """The expression behind the column `messages.status`."""
    cases = " ".join(f"WHEN {rank} THEN '{status}'" for rank, status in STATUS_OF.items())
    return f"CASE rank {cases} END"


def agrees(state: str, rank: int) -> bool:
    """Whether a message may be in this hot state when the ledger, which knows of all moves up to then, says `rank`.

    What the carrier says counts in the ledger alone while a message is being sent, and where it came without our reference.
    What is ready must not be known to the carrier: it would be sent again.
    """
    if rank >= SUBMITTED:
        return state in (State.SUBMITTED.value, State.SENDING.value, State.UNKNOWN.value)
    return rank == (RANKS["ready"] if state == State.SENDING.value else RANK_OF_STATE[state])
