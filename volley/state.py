"""The states of a message and the moves between them. A chunk's state string holds one of these bytes a message.

Moves not in MOVES are refused by every script (they receive the table as `MOVES_ARG`).
"""

from enum import StrEnum


class State(StrEnum):
    """Hot states, kept in Redis; the value is the byte in the chunk's state string."""

    READY = "."
    SENDING = "s"
    UNKNOWN = "?"
    SUBMITTED = "a"
    REFUSED = "x"
    OPTED_OUT = "o"
    EXPIRED = "e"
    CANCELLED = "c"
    DEAD = "z"


STATUS: dict[str, str] = {
    State.READY: "ready",
    State.SENDING: "sending",
    State.UNKNOWN: "unknown",
    State.SUBMITTED: "submitted",
    State.REFUSED: "refused",
    State.OPTED_OUT: "opted_out",
    State.EXPIRED: "expired",
    State.CANCELLED: "cancelled",
    State.DEAD: "dead",
}

LEDGER_STATUSES = ("delivered", "undelivered", "unconfirmed")
"""What a submitted message becomes in the ledger, once a receipt says so. Never a hot state."""

STATUSES: tuple[str, ...] = (*STATUS.values(), *LEDGER_STATUSES)

OPEN = frozenset({State.READY, State.SENDING, State.UNKNOWN})
"""States in which something may still happen; a chunk with none of them can go."""

MOVES: frozenset[str] = frozenset(
    {
        ".s",  # take
        ".o",  # take: the recipient opted out meanwhile
        ".e",  # the campaign's time is over
        ".c",  # cancel
        ".z",  # set aside: it cannot be sent by anybody
        ".a",  # a receipt says that the carrier has it: Redis had forgotten that it was sent
        "s.",  # settle: provably not sent
        "sa",  # settle: the carrier took it
        "sx",  # settle: the carrier refused it for good
        "so",  # settle: refused, because the recipient opted out
        "sz",  # settle: attempts or time are spent, and it was provably not sent
        "sc",  # settle: provably not sent, and cancelled meanwhile
        "se",  # settle: provably not sent, and expired meanwhile
        "s?",  # settle or reap: nobody knows
        "?a",  # a receipt or record says that the carrier had it
        "z.",  # redrive: a person wants what was never sent tried once more
        "ca",  # Accepted always merges
        "oa",
        "ea",
        "za",
    }
)

RETRIES: frozenset[str] = frozenset(
    {
        "x.",  # the carrier had refused it
        "a.",  # the carrier had taken it, and has said since that it could not deliver it
    }
)
"""Moves that a retry alone makes, on what the ledger knows. Never part of MOVES: a late outcome must not find them legal."""

RETRIES_ARG = " ".join(sorted(RETRIES))
MOVES_ARG = " ".join(sorted(MOVES))


def may(old: str, new: str) -> bool:
    """Whether a message may go from one state byte to another."""
    return old + new in MOVES
