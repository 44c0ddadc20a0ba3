"""Volley from other programs: push campaigns and messages, follow them, steer them. Needs httpx and pydantic, and no Redis.

from volley_client import Client

with Client("https://volley.example.com", "vk_live_…") as volley:
    pushed = volley.push(rows, profile="4001…", template="Hi {name}, your order is ready.")
    volley.wait_until_done(pushed.id)
"""

from .aio import AsyncClient
from .callbacks import verify_callback
from .models import Campaign, Event, Message, Money, Pushed, RejectedRow, Retried, Sent, SentMessage, Steered
from .problems import (
    BadCallback,
    BadRequest,
    Conflict,
    Gone,
    InProgress,
    Invalid,
    KeyTaken,
    MissingScope,
    NotFound,
    NothingToSend,
    Problem,
    ProblemError,
    RefusedByPolicy,
    ServerFailed,
    StillRunning,
    TooLarge,
    TooManyRequests,
    TooSlow,
    TryAgainLater,
    Unauthenticated,
    UnexpectedAnswer,
    Unreachable,
    UnsupportedType,
    UnusableRows,
    VolleyError,
    WrongValue,
)
from .retries import NEVER, Retries
from .sync import Client

__version__ = "0.1.0"

__all__ = [
    "NEVER",
    "AsyncClient",
    "BadCallback",
    "BadRequest",
    "Campaign",
    "Client",
    "Conflict",
    "Event",
    "Gone",
    "InProgress",
    "Invalid",
    "KeyTaken",
    "Message",
    "MissingScope",
    "Money",
    "NotFound",
    "NothingToSend",
    "Problem",
    "ProblemError",
    "Pushed",
    "RefusedByPolicy",
    "RejectedRow",
    "Retried",
    "Retries",
    "Sent",
    "SentMessage",
    "ServerFailed",
    "Steered",
    "StillRunning",
    "TooLarge",
    "TooManyRequests",
    "TooSlow",
    "TryAgainLater",
    "Unauthenticated",
    "UnexpectedAnswer",
    "Unreachable",
    "UnsupportedType",
    "UnusableRows",
    "VolleyError",
    "WrongValue",
    "verify_callback",
]
