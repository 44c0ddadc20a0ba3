"""What a person or a program did, on its way to the ledger: who, when, what. Scripts write it together with the action itself."""

import getpass
import socket
from collections.abc import Mapping
from typing import NamedTuple

import orjson

NOBODY = ""
"""Who acts where no person does: nothing of it is recorded."""


class Action(NamedTuple):
    """`who` is an API key's name, or `cli:user@host`; `what` a verb; `campaign_id` "" where it is about none."""

    who: str
    what: str
    campaign_id: str
    detail: Mapping[str, object]


def pack(who: str, what: str, campaign_id: str = "", detail: Mapping[str, object] | None = None) -> bytes:
    """An action as scripts take it; b"" (nothing is recorded) where nobody acts. Money, moments and paths become strings."""
    if who == NOBODY:
        return b""
    return orjson.dumps(Action(who, what, campaign_id, dict(detail or {}))._asdict(), default=str)


def unpack(data: bytes) -> Action:
    """Raises KeyError, TypeError or ValueError for what is no action."""
    fields = orjson.loads(data)
    return Action(fields["who"], fields["what"], fields["campaign_id"], dict(fields["detail"]))


def at_the_command_line() -> str:
    """Who acts in a command: `cli:user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in many containers
        user = "unknown"
    return f"cli:{user}@{socket.gethostname()}"
