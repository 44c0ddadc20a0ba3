"""What a push asks for and what it comes to: the two nouns of intake. Refuses what no file could make right."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self, get_args

from phonenumbers import SUPPORTED_REGIONS

from volley.campaign import Campaign, Encoding, Priority
from volley.errors import UnusableInput
from volley.money import amount

MAX_KEY = 200
MAX_WEIGHT = 1000
EXAMPLES = 5
"""How many rejected rows a result carries; all of them are in the rejects file."""


@dataclass(frozen=True, slots=True)
class PushRequest:
    """One push. Give `text` (sent as it is) or `template` (`{name}`, `{name|default}`), not both.

    `sender` None lets the pool choose. `region` reads national numbers (`US`). `again` sends the same content once
    more within 24 hours. `expires` (with a time zone) is the moment after which nothing is sent any more.
    `rejects_path` is where rejected rows are written, if there are any; None drops them after counting.

    Raises:
        UnusableInput: values that contradict each other or lie out of range.
    """

    profile: str
    text: str | None = None
    template: str | None = None
    sender: str | None = None
    region: str | None = None
    priority: Priority = "bulk"
    encoding: Encoding = "auto"
    smart_encoding: bool = False
    idempotency_key: str | None = None
    again: bool = False
    dry_run: bool = False
    expires: datetime | None = None
    weight: int = 1
    rejects_path: Path | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.profile.strip():
            raise UnusableInput("no profile: give the id of a messaging profile (volley profiles list)")
        if (self.text is None) == (self.template is None):
            raise UnusableInput("give either a text (sent as it is) or a template (with {name}), not both and not none")
        if self.again and self.idempotency_key is not None:
            raise UnusableInput(
                "an idempotency key says «never again», --again says «once more»: give only one of them"
            )
        try:
            (self.text or self.template or "").encode()
        except UnicodeEncodeError:
            raise UnusableInput("the text is not UTF-8: check the terminal's locale, or read it from a file") from None
        self._check_ranges()

    def _check_ranges(self) -> None:
        if self.priority not in get_args(Priority):
            raise UnusableInput(f"priority {self.priority!r}: use one of {', '.join(get_args(Priority))}")
        if self.encoding not in get_args(Encoding):
            raise UnusableInput(f"encoding {self.encoding!r}: use one of {', '.join(get_args(Encoding))}")
        if self.region is not None and self.region.upper() not in SUPPORTED_REGIONS:
            raise UnusableInput(f"region {self.region!r} is no country: use two letters such as US or DE")
        if not 1 <= self.weight <= MAX_WEIGHT:
            raise UnusableInput(f"weight {self.weight}: use 1 to {MAX_WEIGHT}")
        if self.idempotency_key is not None and not 1 <= len(self.idempotency_key) <= MAX_KEY:
            raise UnusableInput(f"an idempotency key has 1 to {MAX_KEY} characters")
        if self.expires is not None and self.expires.tzinfo is None:
            raise UnusableInput("the moment of expiry needs a time zone (2030-01-31T18:00:00+01:00)")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be sent. `row` counts records as an editor shows them: the header of a CSV file is row 1."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push came to; accepted, rejected, duplicates and opted_out add up to the rows.

    `campaign_id` is None where nothing was sealed (a dry run, or no row left). `existing`: the campaign was there
    already. `reasons` counts rejected rows by reason, `examples` are the first few of them.
    """

    campaign_id: str | None = None
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    opted_out: int = 0
    parts: int = 0
    estimated_micros: int = 0
    currency: str = "USD"
    unpriced: int = 0
    existing: bool = False
    rejects_path: Path | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    examples: tuple[Rejected, ...] = ()
    forecast: dict[str, Any] | None = None

    @property
    def rows(self) -> int:
        return self.accepted + self.rejected + self.duplicates + self.opted_out

    def as_json(self) -> dict[str, Any]:
        """What `volley send --json` prints; a dry run adds `forecast`."""
        result: dict[str, Any] = {
            "campaign_id": self.campaign_id,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "opted_out": self.opted_out,
            "parts": self.parts,
            "estimated_cost": {"amount": amount(self.estimated_micros), "currency": self.currency},
        }
        return result if self.forecast is None else result | {"forecast": self.forecast}

    def of(self, campaign: Campaign, *, existing: bool) -> Self:
        """The same push, told by the campaign that holds it: the counts are those of the first push."""
        return replace(
            self,
            campaign_id=campaign.id,
            accepted=campaign.accepted,
            rejected=campaign.rejected,
            duplicates=campaign.duplicates,
            opted_out=campaign.opted_out,
            parts=campaign.parts,
            estimated_micros=campaign.estimated_micros,
            currency=campaign.currency,
            unpriced=campaign.unpriced,
            existing=existing,
        )
