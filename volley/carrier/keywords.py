"""What a person's words ask for: STOP and its like, START and its like. Pure.

A word counts only where it is the whole message. Source: Telnyx, advanced opt-in and opt-out management (2026-04); profiles may
have words of their own, which only the carrier's `autoresponse_type` tells.
"""

from typing import Literal

Keyword = Literal["stop", "start", ""]

STOP_WORDS = frozenset({"stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit"})
START_WORDS = frozenset({"start", "unstop"})
_CARRIER_STOPS = STOP_WORDS | {"optout"}
_CARRIER_STARTS = START_WORDS | {"optin"}
_MARKS = " .,;:!?…'\"‘’“”()*-"
"""Around a STOP they change nothing for the person who wrote it. A START is to be the carrier's own, or its block stays."""


def keyword(text: str, autoresponse: str = "") -> Keyword:
    """What a message asks for; `autoresponse` is the carrier's word for it. In doubt between the two it is `stop`."""
    said, carrier = _plain(text), _plain(autoresponse).replace("_", "").replace("-", "").replace("opt ", "opt")
    if said.strip(_MARKS) in STOP_WORDS or carrier in _CARRIER_STOPS:
        return "stop"
    return "start" if said in START_WORDS or carrier in _CARRIER_STARTS else ""


def is_start(word: str) -> bool:
    """Whether an entry of the carrier's opt-out list says that the person wants messages again."""
    return keyword("", word) == "start"


def _plain(text: str) -> str:
    return " ".join(text[:64].split()).casefold() if len(text) <= 1_000 else ""
