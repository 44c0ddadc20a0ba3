"""The shapes of the API's answers, for its OpenAPI document. The documents themselves are made in producer/sight."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Moment = Annotated[str, Field(description="ISO 8601, UTC", examples=["2026-05-01T09:30:00.000+00:00"])]


class Money(BaseModel):
    amount: Annotated[str, Field(description="a decimal number", examples=["12.40"])]
    currency: Annotated[str, Field(examples=["USD"])]


class SetAside(BaseModel):
    """Messages of a chunk that took worker after worker down with it."""

    chunk: int
    messages: int
    since: Moment | None


class Counts(BaseModel):
    """Messages by status, which add up to `accepted`. Every status is there, also where it has none.

    Where `ledger_answered` is false nobody was asked for receipts: `submitted` is all that the carrier took, and `delivered`,
    `undelivered` and `unconfirmed` are 0.
    """

    ready: int
    sending: int
    unknown: int
    submitted: int
    refused: int
    opted_out: int
    expired: int
    cancelled: int
    dead: int
    delivered: int
    undelivered: int
    unconfirmed: int


class CampaignDocument(BaseModel):
    """A campaign and where it stands. `counts`: messages by status, which add up to `accepted`; `rate` in parts a second."""

    model_config = ConfigDict(extra="allow", title="Campaign")

    campaign_id: str
    profile: str
    state: Annotated[str, Field(description="ready, paused, cancelled, expired or finished")]
    priority: str
    created: Moment | None
    expires: Moment | None
    send_at: Moment | None
    sender: Annotated[str | None, Field(alias="from")]
    accepted: int
    rejected: int
    duplicates: int
    opted_out: int
    parts: int
    estimated_cost: Money
    unpriced: int
    counts: Counts
    sent_parts: int
    rate: float
    eta_seconds: float | None
    cost: Money
    first_sent: Moment | None
    last_sent: Moment | None
    on_unknown: str
    possibly_twice: int
    possibly_lost: int
    ledger_answered: Annotated[
        bool,
        Field(description="false: its database did not within 2 s, and counts and cost are as Redis alone has them"),
    ]


class OneCampaign(CampaignDocument):
    model_config = ConfigDict(extra="allow", title="OneCampaign")

    set_aside: list[SetAside]


class CampaignList(BaseModel):
    campaigns: list[CampaignDocument]
    next: Annotated[str | None, Field(description="the cursor of the next page; null at the end")]


class Steered(BaseModel):
    """`in_flight` messages will still be sent or settled. `carrier`: what came of those that the carrier keeps until their time;
    `withdrawing`: that takes longer, and goes on: the campaign's counts tell how far it is.
    """

    campaign_id: str
    state: str
    in_flight: int
    carrier: dict[str, int] | None = None
    withdrawing: bool = False


class RejectedRow(BaseModel):
    """`row` counts as an editor shows them: the header of a CSV file is row 1."""

    row: int
    reason: str


class PushAnswer(BaseModel):
    """accepted, rejected, duplicates and opted_out add up to the rows. `rejected_rows`: the first 100 of them."""

    campaign_id: str | None
    status_url: str | None
    accepted: int
    rejected: int
    rejected_rows: list[RejectedRow]
    rejects_url: str | None
    duplicates: int
    opted_out: int
    parts: int
    estimated_cost: Money
    unpriced: Annotated[int, Field(description="messages whose price nobody knows")]
    notes: list[str]


class UnicodeRows(BaseModel):
    character: str
    code: str
    name: str
    rows: int


class ForecastDocument(BaseModel):
    model_config = ConfigDict(extra="allow", title="Forecast")

    parts_histogram: Annotated[dict[str, int], Field(description="parts → messages")]
    encodings: dict[str, int]
    unicode: Annotated[list[UnicodeRows], Field(description="characters that force Unicode, the most frequent first")]
    parts_per_second: str
    seconds: int | None


class PushForecast(PushAnswer):
    """A dry run: nothing was sent or stored."""

    forecast: ForecastDocument
    finishes: Annotated[Moment | None, Field(description="if it began now and had the pool to itself")]


class OneTaken(BaseModel):
    """`status`: ready, or why nothing is sent: rejected, opted_out, duplicate (of another one in the request)."""

    message_id: str | None
    to: str
    reference: str | None
    status: str
    reason: str | None


class MessagesTaken(BaseModel):
    campaign_id: str | None
    messages: list[OneTaken]


class MessageLine(BaseModel):
    """A message as exports have it; amounts are decimal numbers."""

    model_config = ConfigDict(extra="allow", title="MessageLine")

    message_id: str
    reference: str | None
    to: str | None
    sender: Annotated[str | None, Field(alias="from")]
    status: str
    encoding: str | None
    parts: int | None
    estimated_cost: str | None
    cost: str | None
    currency: str | None
    carrier_id: str | None
    attempts: int
    error_code: str | None
    error_text: str | None
    campaign_id: str
    profile: str


class MessageDocument(MessageLine):
    """With what happened to it, in order, and what it waits for now."""

    model_config = ConfigDict(extra="allow", title="MessageDocument")

    text: str | None
    history: list[dict[str, object]]
    waits: dict[str, object] | None
    sender_why: str | None


class MessagePage(BaseModel):
    messages: list[MessageLine]
    next: Annotated[str | None, Field(description="the cursor of the next page; null at the end")]


class Retried(BaseModel):
    """`messages` are ready again; `unrecorded` are dead too, and the ledger does not know of them yet; `uncertain` are left alone,
    as an attempt of theirs may have arrived."""

    campaign_id: str
    messages: int
    uncertain: int
    unrecorded: int
