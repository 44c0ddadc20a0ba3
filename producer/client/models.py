"""What the server answers, typed. Fields that a newer server adds are kept, and change nothing here."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

OVER = frozenset({"finished", "cancelled", "expired"})
"""States of a campaign that sends nothing any more. `finished` comes back to `ready` only where failed messages are sent again."""


class Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Money(Answer):
    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class RejectedRow(Answer):
    """`row` counts as an editor shows them: the header of a CSV file is row 1."""

    row: int
    reason: str


class Pushed(Answer):
    """What a push came to. accepted, rejected, duplicates and opted_out add up to its rows.

    `rejected_rows` are the first 100; all of them: `Client.rejects`. `replayed`: the campaign was there already, by the same key
    or the same content. A dry run has no `campaign_id`; its `forecast` says the rest, and `finishes` when it would be done.
    """

    campaign_id: str | None
    accepted: int
    rejected: int
    duplicates: int
    opted_out: int
    parts: int
    estimated_cost: Money
    rejected_rows: tuple[RejectedRow, ...] = ()
    unpriced: int = 0
    notes: tuple[str, ...] = ()
    replayed: bool = False
    forecast: Mapping[str, Any] | None = None
    finishes: datetime | None = None

    @property
    def id(self) -> str:
        """The campaign's. Raises ValueError for a dry run, which has none."""
        if self.campaign_id is None:
            raise ValueError("a dry run makes no campaign")
        return self.campaign_id


class Campaign(Answer):
    """A campaign and where it stands. `counts`: messages by status, which add up to `accepted`; `rate` in parts a second."""

    campaign_id: str
    profile: str
    state: str
    priority: str
    created: datetime | None
    expires: datetime | None
    send_at: datetime | None
    sender: str | None = Field(alias="from")
    accepted: int
    rejected: int
    duplicates: int
    opted_out: int
    parts: int
    estimated_cost: Money
    counts: Mapping[str, int]
    sent_parts: int
    rate: float
    eta_seconds: float | None
    cost: Money
    first_sent: datetime | None
    last_sent: datetime | None
    tags: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Nothing of it waits and nothing is being sent. Receipts may still come."""
        return self.state in OVER and not self.counts.get("sending", 0)


class Campaigns(Answer):
    campaigns: tuple[Campaign, ...]
    next: str | None


class Steered(Answer):
    """`in_flight` messages will still be sent or settled. `withdrawing`: the carrier is still being told what to cancel."""

    campaign_id: str
    state: str
    in_flight: int
    carrier: Mapping[str, int] | None = None
    withdrawing: bool = False


class Message(Answer):
    """One text to one recipient; `status` as in docs/ledger.md. Money is None where nobody knows it."""

    message_id: str
    reference: str | None
    to: str | None
    sender: str | None = Field(alias="from")
    status: str
    encoding: str | None
    parts: int | None
    estimated_cost: Decimal | None
    cost: Decimal | None
    currency: str
    carrier_id: str | None
    attempts: int
    error_code: str | None
    error_text: str | None = None


class Messages(Answer):
    messages: tuple[Message, ...]
    next: str | None


class Retried(Answer):
    """`messages` are ready again."""

    campaign_id: str
    messages: int


class SentMessage(Answer):
    """`status` ready: it goes out. Otherwise `reason` says why not; nothing of it was taken."""

    message_id: str | None
    to: str
    reference: str | None
    status: str
    reason: str | None


class Sent(Answer):
    """In the order in which they were given. `replayed`: the same request had this answer before."""

    campaign_id: str | None
    messages: tuple[SentMessage, ...]
    replayed: bool = False


class Queue(Answer):
    """A profile's queue, or all of them together: messages that are ready and due, rates in parts a second."""

    profile: str
    ready: int
    due: int
    oldest_due_seconds: float | None
    in_flight: int
    unknown: int
    dead: int
    rate: float
    allowed_rate: float
    eta_seconds: float | None


class DeliveryErrors(Answer):
    """Messages that were not delivered, by the carrier's code."""

    code: str
    count: int
    meaning: str = ""


class Facts(Answer):
    """The snapshot that page, metrics and terminal show; docs/facts.md has every field, also those that are not typed here.

    `notes`: sentences on why nothing moves, or not all of it.
    """

    at: datetime
    account: str
    version: str
    total: Queue
    queues: tuple[Queue, ...]
    circuit_open: bool
    notes: tuple[str, ...]
    delivery_errors: tuple[DeliveryErrors, ...] = ()


class Cause(Answer):
    """`cause` is one word of a fixed set, `says` a sentence; `ends` None where nobody knows."""

    cause: str
    says: str
    messages: int = 0
    rate: float | None = None
    ends: datetime | None = None


class Why(Answer):
    """What a campaign, a message or a profile waits for: what holds all of it first, then the last to end."""

    about: str
    kind: str
    state: str
    waiting: int
    causes: tuple[Cause, ...]
    ends: datetime | None = None


class NewCallback(Answer):
    """`secret` verifies its calls (`verify_callback`), and is told this once."""

    callback_id: str
    secret: str


class Callback(Answer):
    """`disabled` says why it is off; `waiting` and `dead` are deliveries."""

    callback_id: str
    campaign_id: str | None
    url: str
    types: tuple[str, ...]
    disabled: str | None
    delivered: int
    waiting: int
    dead: int


class Callbacks(Answer):
    callbacks: tuple[Callback, ...]


class Delivery(Answer):
    """One call that waits for another try, or is dead."""

    delivery_id: str
    state: str
    events: int
    attempts: int
    http_status: int | None
    error: str | None


class Deliveries(Answer):
    deliveries: tuple[Delivery, ...]


class CallbackDone(Answer):
    callback_id: str
    redelivered: int = 0


class Event(Answer):
    """One event of the feed, and what callbacks carry. `id` is also the cursor behind it."""

    id: str
    type: str
    at: datetime
    campaign_id: str | None = None
    data: Mapping[str, Any]


class Events(Answer):
    events: tuple[Event, ...]
    next_cursor: str
