"""What a sandbox is told before it starts. Plain dataclasses; `parse` and `dump` are the way from and to JSON."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from volley.errors import UnusableInput
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.number_spec import NumberChange
from volley.sandbox.profile_spec import DEFAULT_POOL, PROFILE_ID, NumberPool, Pool, ProfileSpec

__all__ = [
    "API_KEY", "DEFAULT_POOL", "ORGANIZATION_ID", "PROFILE_ID", "NumberPool", "Pool", "Price", "ProfileSpec", "ReceiptSpec",
    "SandboxConfig", "Tariff", "dump", "parse",
]  # fmt: skip

API_KEY = "KEY_SANDBOX"
ORGANIZATION_ID = "5a4db0c5-0000-4000-8000-00000000f00d"

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Price:
    """Decimal strings, for one part."""

    rate: str = "0.004"
    carrier_fee: str = "0.003"
    currency: str = "USD"
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices by leading digits of `to` (`+44`), the longest match first, else `price`.

    `final` replaces it in message.finalized and later; `at_post` False leaves `cost` null in the answer to the POST. `mms` is for
    one MMS to anywhere, `inbound` for one part that comes in.
    `breakdown_per_part` prints rate and fee of one part where the default prints their totals (Telnyx does not say which).
    """

    price: Price = field(default_factory=Price)
    by_prefix: dict[str, Price] = field(default_factory=dict)
    final: Price | None = None
    at_post: bool = True
    breakdown_per_part: bool = False
    mms: Price = field(default_factory=lambda: Price("0.015", "0.005"))
    inbound: Price = field(default_factory=lambda: Price("0.004", "0.000"))
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSpec:
    """Delivery receipts. Shares are 0..1 of the accepted messages; what is left of them is delivered.

    `mode`: `on` sends them, `off` sends none, `defer` keeps them until POST /_sandbox/receipts. `silent` stays at sent for ever.
    `sent_after_s` counts from when the message leaves the queue, `done_after_s` (from, to) from then on. `attempts` are those
    at each URL; GET /v2/webhook_deliveries shows the last `keep_deliveries`.
    """

    mode: Literal["on", "off", "defer"] = "on"
    sent_after_s: float = 0.02
    done_after_s: tuple[float, float] = (0.05, 0.3)
    failed: float = 0.0
    unconfirmed: float = 0.0
    silent: float = 0.0
    duplicated: float = 0.0
    reversed: float = 0.0
    error_codes: tuple[str, ...] = ("40008", "40001", "40002")
    connections: int = 16
    attempts: int = 3
    backoff_s: float = 1.0
    timeout_s: float = 2.0
    keep_deliveries: int = 1000
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Everything of one sandbox. `profiles` empty: one profile (PROFILE_ID) with `pool`.

    `account_rate` parts/s, 0 without limit. `requests_per_window` is the limit of HTTP requests (429 10011), 0 without.
    `latency_ms` (from, to) before every answer of a send. `remember`: how many idempotency keys are held at least, 0 none.
    `keep`: of how many messages GET /v2/messages/{id} knows. `log` None: a file that goes when the sandbox goes;
    it and the statistics hold the last `keep_log` sends, None: all.
    `account_mms_rate` MMS/s, 0 without limit. `media_bytes`: sizes of media by URL (`?bytes=N` in the URL says it too, else 1 KB).
    Scheduled sends are due in `schedule_min_s` at least and `schedule_max_s` at most, and may be cancelled until `cancel_min_s`
    before; `cancel_wrapped` answers a cancel with `{"data": …}`. Detail records are kept of the last `keep_records` messages and
    appear `records_lag_s` after a message leaves its queue.
    `spare` numbers belong to no profile; `unhealthy` are indexes into the numbers made, in order, and so are the keys of `states`.
    `beyond_fiction` makes numbers outside of the ranges reserved for fiction once those are used up: for long lists, never for sends.
    An order for many numbers takes `bulk_s` seconds, a campaign assignment `campaign_s`. `verified_only`: toll-free numbers that
    are not verified are refused (40329). `registered_only`: what long codes without a 10DLC campaign send to the US fails (40010).
    `clock_skew_s`: how far the Date of its answers is ahead of the true time.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_keys: tuple[str, ...] = (API_KEY,)
    pool: Pool = DEFAULT_POOL
    profiles: tuple[ProfileSpec, ...] = ()
    spare: Pool = ()
    unhealthy: tuple[int, ...] = ()
    states: dict[int, NumberChange] = field(default_factory=dict)
    beyond_fiction: bool = False
    bulk_s: float = 0.2
    campaign_s: float = 0.0
    verified_only: bool = False
    registered_only: bool = False
    account_rate: float = 0.0
    account_mms_rate: float = 0.0
    queue_cap_s: float = 14_400.0
    requests_per_window: int = 0
    request_window_s: float = 1.0
    latency_ms: tuple[float, float] = (0.0, 0.0)
    idempotency: Literal["honoured", "ignored"] = "honoured"
    remember: int = 250_000
    keep: int = 10_000
    media_bytes: dict[str, int] = field(default_factory=dict)
    schedule_min_s: float = 300.0
    schedule_max_s: float = 432_000.0
    cancel_min_s: float = 60.0
    cancel_wrapped: bool = False
    keep_records: int = 50_000
    records_lag_s: float = 0.0
    parts_rule: Literal["packed", "ceil"] = "packed"
    gsm_set: Literal["3gpp", "telnyx"] = "3gpp"
    tariff: Tariff = field(default_factory=Tariff)
    receipts: ReceiptSpec = field(default_factory=ReceiptSpec)
    faults: tuple[FaultRule, ...] = ()
    seed: int = 1
    clock_skew_s: float = 0.0
    log: Path | None = None
    keep_log: int | None = None
    fsync: bool = False
    max_body: int = 1 << 20
    idle_s: float = 75.0
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    @property
    def all_profiles(self) -> tuple[ProfileSpec, ...]:
        return self.profiles or (ProfileSpec(pool=self.pool),)


_CONFIG = TypeAdapter(SandboxConfig)


def parse(text: str | bytes) -> SandboxConfig:
    """A config from JSON; UnusableInput names the first field that is wrong."""
    try:
        return _CONFIG.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "config"
        raise UnusableInput(f"sandbox {where}: {first['msg']} (docs/sandbox.md lists the fields)") from None


def dump(config: SandboxConfig) -> str:
    """JSON that `parse` turns into the same config."""
    return _CONFIG.dump_json(config, exclude_unset=True).decode()
