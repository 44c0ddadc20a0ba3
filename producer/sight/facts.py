"""One snapshot of all there is to watch: what waits and for what, what goes, who works, what it costs. Plain values, read-only.

What page, `/metrics`, `volley top` and `/v1/facts` show is this and nothing else. Rates are parts per second, times of day ISO 8601
in UTC, lengths of time seconds, money decimal strings. docs/facts.md tells each field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson


@dataclass(frozen=True, slots=True)
class Waits:
    """What ready messages wait for; the fields add up to what is ready.

    `rate`: their turn, at the rates of account, profile, campaign and senders · `pinned`: one sender, whom their people are pinned to
    or their campaign names · `retry`: their next attempt · `window`: a start time or the end of quiet hours · `budget`: more of
    it · `paused`: a person · `unserved`: a sender that may send to their country · `ending`: nothing, they expire or are cancelled.
    """

    rate: int = 0
    pinned: int = 0
    retry: int = 0
    window: int = 0
    budget: int = 0
    paused: int = 0
    unserved: int = 0
    ending: int = 0

    @property
    def due(self) -> int:
        """Those that may go as soon as rates let them."""
        return self.rate + self.pinned

    def __add__(self, other: "Waits") -> "Waits":
        return Waits(
            self.rate + other.rate,
            self.pinned + other.pinned,
            self.retry + other.retry,
            self.window + other.window,
            self.budget + other.budget,
            self.paused + other.paused,
            self.unserved + other.unserved,
            self.ending + other.ending,
        )


@dataclass(frozen=True, slots=True)
class Money:
    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class Line:
    """What is due of one priority, and how long its oldest has been so; None where nothing is."""

    due: int
    oldest_due_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A profile's queue, or all of an account's together. `dead`: of campaigns that Redis still has."""

    profile: str
    ready: int
    waits: Waits
    due: int
    oldest_due_seconds: float | None
    lines: Mapping[str, Line]
    """By priority: urgent, bulk."""
    in_flight: int
    unknown: int
    dead: int
    campaigns: int
    rate: float
    allowed_rate: float
    eta_seconds: float | None
    resting_until: str | None = None


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """One in which something is open. `counts` by status as Redis alone has them; `budget` None: it has none."""

    campaign_id: str
    profile: str
    state: str
    priority: str
    tags: tuple[str, ...]
    created: str | None
    accepted: int
    counts: Mapping[str, int]
    waits: Waits
    oldest_due_seconds: float | None
    parts: int
    sent_parts: int
    rate: float
    eta_seconds: float | None
    estimated_cost: Money
    cost: Money
    budget: Money | None = None
    budget_left: Money | None = None
    why: str = ""
    """A sentence on what holds it, where something does."""


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """`loop_lag_seconds`: the latest that its event loop came round of late. `taking` False: `why` says what for."""

    id: str
    host: str
    pid: int
    version: str
    started: str | None
    seen: str | None
    in_flight: int
    rate: float
    loop_lag_seconds: float
    taking: bool
    why: str


@dataclass(frozen=True, slots=True)
class ServeFacts:
    """A `volley serve`. `loop_lag_seconds` as of a worker; `watching`: pages that it feeds."""

    id: str
    host: str
    pid: int
    version: str
    started: str | None
    seen: str | None
    loop_lag_seconds: float
    watching: int


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """`rate` allowed, `used` of late (None: not known yet), `pins` people (None: not counted yet). `state`: active, resting,
    kept (it serves its own people only), inactive."""

    number: str
    profile: str
    type: str
    rate: float
    used: float | None
    pins: int | None
    sent_today: int
    state: str
    reason: str
    until: str | None


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """The senders of a profile of one type, together. `rate` is what those that are active may send."""

    profile: str
    type: str
    states: Mapping[str, int]
    rate: float
    used: float | None
    pins: int | None


@dataclass(frozen=True, slots=True)
class RestFacts:
    what: str
    name: str
    until: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """How many attempts came to it since the account began: accepted, refused, throttled, not_sent, perhaps_sent; by code."""

    outcome: str
    code: str
    count: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryErrorFacts:
    """How many messages the carrier took and did not deliver, since the account began, by the code that their receipts give."""

    code: str
    count: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """Entries that are not in the ledger yet; above `bound` nothing is taken and no push is accepted."""

    lag_seconds: float
    entries: int
    bound: int


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """`max_bytes` 0: no limit. `aof_ok`: the append-only file is on and its last write and fsync went well. `held`: nothing is taken
    for the moment, as another server has come. `cpu_seconds` since it started."""

    version: str
    role: str
    replicas: int
    used_bytes: int
    max_bytes: int
    used_ratio: float
    fragmentation: float
    evicted_keys: int
    aof_enabled: bool
    aof_ok: bool
    aof_error: str
    aof_rewriting: bool
    commands_per_second: int
    clients: int
    cpu_seconds: float
    uptime_seconds: int
    held: bool


@dataclass(frozen=True, slots=True)
class SpendFacts:
    """By currency: micro-units a minute of late (None: nobody has looked long enough), and what the campaigns that live or
    ended of late have cost (of gathered messages: that live). What the carrier named no price for counts as estimated."""

    currency: str
    per_minute_micros: int | None
    spent: str
    spent_micros: int
    budget_micros: int = 0
    """What the live campaigns that have a budget may spend, all together, and what is left of it."""
    budget_left_micros: int = 0


@dataclass(frozen=True, slots=True)
class ConservationFacts:
    """What the audit found last: campaigns whose sums it looked at (0: nobody audits), what is broken, in words."""

    checked: int
    age_seconds: float | None
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One of the history: how it stood then. `rate` parts/s, `spend_micros` a minute by currency, `profiles` ready by profile (the
    deepest)."""

    at: int
    ready: int
    due: int
    in_flight: int
    unknown: int
    rate: float
    spend_micros: Mapping[str, int] = field(default_factory=dict)
    profiles: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """The whole snapshot. `senders` are those worth a look, `campaigns` those in which something is open, at most 1,000."""

    at: str
    at_us: int
    account: str
    version: str
    total: QueueFacts
    queues: tuple[QueueFacts, ...]
    campaigns: tuple[CampaignFacts, ...]
    workers: tuple[WorkerFacts, ...]
    serves: tuple[ServeFacts, ...]
    pools: tuple[PoolFacts, ...]
    senders: tuple[SenderFacts, ...]
    circuit_open: bool
    rests: tuple[RestFacts, ...]
    rests_more: int
    outcomes: tuple[OutcomeFacts, ...]
    delivery_errors: tuple[DeliveryErrorFacts, ...]
    ledger: LedgerFacts
    redis: RedisFacts
    spend: tuple[SpendFacts, ...]
    conservation: ConservationFacts
    notes: tuple[str, ...]
    """Sentences: why nothing moves, or not all of it."""

    def as_json(self) -> bytes:
        """One JSON object, its names as here."""
        return orjson.dumps(self)
