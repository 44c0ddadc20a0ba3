"""What a webhook of Telnyx's tells, as values. How they are read: webhook.py."""

from dataclasses import dataclass

from volley.carrier.keywords import Keyword


@dataclass(frozen=True, slots=True)
class ReceiptEvent:
    """What the carrier says about an outbound message. Fields as outbox.events.ReceiptRecord; -1 or "" where it is silent.

    `campaign` is "" where no reference of ours came with it. `opted_out`: it failed because the person had said STOP.
    """

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
    profile: str
    opted_out: bool


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """What somebody (`sender`) sent to one of our numbers (`to`). `media` are addresses at the carrier, which it deletes in time."""

    event_id: str
    occurred_us: int
    received_us: int
    carrier_id: str
    profile: str
    sender: str
    to: str
    text: str
    media: tuple[str, ...]
    keyword: Keyword


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """A profile has spent what it may spend on the day of `occurred_us` (UTC). Amounts as the carrier writes them."""

    event_id: str
    occurred_us: int
    profile: str
    limit: str
    cost: str


@dataclass(frozen=True, slots=True)
class Other:
    """An event of a type that nothing here uses. A click on a shortened link has no id."""

    event_id: str
    event_type: str
    occurred_us: int


Event = ReceiptEvent | InboundMessage | SpendLimit | Other
