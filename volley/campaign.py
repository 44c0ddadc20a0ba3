"""A campaign: one push. What never changes after the seal stands here; what moves lives in Redis beside it."""

import secrets
import time
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any, Literal, Self

import orjson

from volley.errors import VolleyError

Priority = Literal["urgent", "bulk"]
Encoding = Literal["auto", "gsm7", "ucs2"]
OnUnknown = Literal["hold", "retry", "give-up"]
"""What becomes of messages of which nobody knows whether the carrier has them: wait for its word; send again even where the
carrier is not known to heed the key (never lost); close them after a time (never twice)."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_campaign_id(now_ms: int | None = None) -> str:
    """16 characters: 48 bits of milliseconds, 32 bits of chance, so that ids sort by time."""
    return _written(time.time_ns() // 1_000_000 if now_ms is None else now_ms, secrets.randbits(32))


def first_id(moment_us: int) -> str:
    """No campaign id that was made at this moment or later sorts before it."""
    return _written(max(0, moment_us) // 1000, 0)


def _written(moment_ms: int, chance: int) -> str:
    value = moment_ms << 32 | chance
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(75, -1, -5))


@dataclass(frozen=True, slots=True)
class Campaign:
    """Fixed facts of a campaign.

    `template` is the text with its holes (a literal text has its braces doubled), `columns` the variables a chunk
    carries, in the order of its value columns. Times are microseconds since 1970.

    `sender` may be carrier_pool(profile). `fallback` is the number that sends where an alphanumeric sender may not. With
    `media` (URLs) it is an MMS, `subject` is that MMS's. `send_at_us`: the carrier keeps the messages until then; 0 at once.
    `claims`: the idempotency keys of the requests that were gathered in it, and what came of each.

    Its terms, which may change while it runs (the outbox tells what they are now): `rate_milli` parts per 1,000 s (0: no cap of
    its own), `start_us` (nothing is sent before), `expires_us`, `priority`, and `quiet_hours` (`21:00-08:00`) on the clocks of `zones`: of
    each group of people the time zones in which they may be, a comma between; `chunk_zones` has the group of each chunk.
    `budget_micros` ends it for now; limits are parts per million of what was tried (0: none).
    """

    id: str
    profile: str
    template: str
    columns: tuple[str, ...] = ()
    sender: str | None = None
    priority: Priority = "bulk"
    weight: int = 1
    encoding: Encoding = "auto"
    smart_encoding: bool = False
    currency: str = "USD"
    idempotency_key: str = ""
    content_hash: str = ""
    created_us: int = 0
    expires_us: int = 0
    region: str | None = None
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    opted_out: int = 0
    parts: int = 0
    estimated_micros: int = 0
    unpriced: int = 0
    chunks: int = 0
    tags: tuple[str, ...] = field(default=())
    fallback: str | None = None
    media: tuple[str, ...] = ()
    subject: str = ""
    send_at_us: int = 0
    on_unknown: OnUnknown = "hold"
    rate_milli: int = 0
    start_us: int = 0
    quiet_hours: str = ""
    zones: tuple[str, ...] = ()
    chunk_zones: tuple[int, ...] = ()
    budget_micros: int = 0
    pause_on_failures_ppm: int = 0
    pause_on_opt_outs_ppm: int = 0
    claims: tuple[tuple[str, str], ...] = ()
    callback_url: str = ""

    @property
    def has_terms(self) -> bool:
        """Whether it waits by terms of its own, beside expiry and priority."""
        limits = self.pause_on_failures_ppm or self.pause_on_opt_outs_ppm
        return bool(self.rate_milli or self.start_us or self.quiet_hours or self.budget_micros or limits)

    def to_json(self) -> bytes:
        """Without what says only what the releases that do not know it do anyway: they can read the campaign then."""
        return orjson.dumps({name: value for name, value in asdict(self).items() if _IMPLIED.get(name) != value})

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Raises VolleyError for what a newer release asks of a campaign."""
        fields: dict[str, Any] = orjson.loads(data)
        fields |= {name: tuple(fields.get(name, ())) for name in ("columns", "tags", "media", "zones", "chunk_zones")}
        fields["claims"] = tuple((key, kept) for key, kept in fields.get("claims", ()))
        asked = sorted(fields.keys() - {each.name for each in dataclass_fields(cls)})
        if asked:
            raise VolleyError(
                f"campaign {fields['id']} is of a newer release ({', '.join(asked)}): update Volley on this machine"
            )
        return cls(**fields)


_IMPLIED = {
    "callback_url": "",
    "on_unknown": "hold",
    "rate_milli": 0,
    "start_us": 0,
    "quiet_hours": "",
    "zones": (),
    "chunk_zones": (),
    "budget_micros": 0,
    "pause_on_failures_ppm": 0,
    "pause_on_opt_outs_ppm": 0,
    "claims": (),
}
