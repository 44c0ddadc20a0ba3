"""What a push asks for and what it comes to: the two nouns of intake. Refuses what no file could make right."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self, get_args

from phonenumbers import SUPPORTED_REGIONS

from producer.push.rules import check_hours, check_limits, check_media, check_send_at, check_sender, check_terms
from volley.campaign import Campaign, Encoding, OnUnknown, Priority
from volley.carrier.alphanumeric import is_alphanumeric
from volley.errors import UnusableInput
from volley.money import amount

MmsFallback = Literal["refuse", "sms"]
MAX_KEY = 200
MAX_WEIGHT = 1000
EXAMPLES = 5
"""How many rejected rows a result carries where nobody asks for more; all of them are in the rejects file."""


@dataclass(frozen=True, slots=True)
class PushRequest:
    """One push. Give `text` (sent as it is) or `template` (`{name}`, `{name|default}`), not both; with `media` perhaps none.

    `sender` None lets the pool choose, `carrier_pool` the carrier. `fallback` is the number that serves countries which
    refuse an alphanumeric sender. `media` are links: with them it is an MMS, and `mms_fallback` says what becomes of those
    who can get none (None: what the profile says). `smart_encoding` None is as the profile has it. `send_at` (with a time
    zone): the carrier takes all of it now and sends it then. `region` reads national numbers (`US`). `again` sends the same content once
    more within 24 hours. `expires` (with a time zone) is the moment after which nothing is sent any more.
    `on_unknown`: messages of which nobody knows whether the carrier has them wait for its word (hold), are sent again even
    where it is not known to heed the key (retry: never lost), or are closed after a time (give-up: never twice).
    `rate` (parts per second) caps this campaign; nothing of it is sent before `start` (with a time zone).
    `quiet_hours` (`21:00-08:00`) are those of the recipients' own clocks; None: the account's, `none`: none.
    `budget` is in the currency of the prices: the next message that would exceed it is not sent. `pause_on_failures` and
    `pause_on_opt_outs` are shares of what was tried, at which the campaign pauses itself. `callback_url` is told of its events.
    `rejects_path` is where rejected rows are written, if there are any; None drops them after counting. `examples`: how many of
    them the result carries.

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
    smart_encoding: bool | None = None
    idempotency_key: str | None = None
    again: bool = False
    dry_run: bool = False
    expires: datetime | None = None
    weight: int = 1
    rejects_path: Path | None = None
    examples: int = EXAMPLES
    tags: tuple[str, ...] = ()
    carrier_pool: bool = False
    fallback: str | None = None
    media: tuple[str, ...] = ()
    subject: str = ""
    mms_fallback: MmsFallback | None = None
    media_check: bool = True
    send_at: datetime | None = None
    on_unknown: OnUnknown = "hold"
    rate: Decimal | None = None
    start: datetime | None = None
    quiet_hours: str | None = None
    budget: Decimal | None = None
    pause_on_failures: Decimal | None = None
    pause_on_opt_outs: Decimal | None = None
    callback_url: str | None = None

    def __post_init__(self) -> None:
        if not self.profile.strip():
            raise UnusableInput("no profile: give the id of a messaging profile (volley profiles list)")
        given = (self.text is not None) + (self.template is not None)
        if given > 1 or (not given and not self.media):
            raise UnusableInput("give either a text (sent as it is) or a template (with {name}), not both and not none")
        if self.again and self.idempotency_key is not None:
            raise UnusableInput(
                "an idempotency key says «never again», --again says «once more»: give only one of them"
            )
        try:
            (self.text or self.template or "").encode()
        except UnicodeEncodeError:
            raise UnusableInput("the text is not UTF-8: check the terminal's locale, or read it from a file") from None
        if "\0" in (self.text or self.template or ""):
            raise UnusableInput("the text holds a NUL character: remove it")
        self._check_ranges()
        self._check_sender()
        check_media(self.media, self.subject)
        if self.send_at is not None:
            check_send_at(self.send_at)
        check_terms(self.rate, self.start, self.send_at, self.expires)
        check_hours(self.quiet_hours)
        check_limits(self.budget, self.pause_on_failures, self.pause_on_opt_outs)

    def _check_sender(self) -> None:
        if self.carrier_pool and self.sender is not None:
            raise UnusableInput("--carrier-pool lets the carrier choose, --from names a sender: give only one of them")
        if self.sender is not None:
            check_sender(self.sender)
        if self.fallback is not None and (self.sender is None or not is_alphanumeric(self.sender)):
            raise UnusableInput("a fallback number stands in for an alphanumeric sender: give --from with one, or none")
        if self.media and self.sender is not None and is_alphanumeric(self.sender):
            raise UnusableInput(
                f"sender {self.sender} is alphanumeric and sends no MMS: name a number, or leave media out"
            )

    def _check_ranges(self) -> None:
        if self.priority not in get_args(Priority):
            raise UnusableInput(f"priority {self.priority!r}: use one of {', '.join(get_args(Priority))}")
        if self.encoding not in get_args(Encoding):
            raise UnusableInput(f"encoding {self.encoding!r}: use one of {', '.join(get_args(Encoding))}")
        if self.on_unknown not in get_args(OnUnknown):
            raise UnusableInput(f"on unknown {self.on_unknown!r}: use one of {', '.join(get_args(OnUnknown))}")
        if self.mms_fallback not in (None, *get_args(MmsFallback)):
            raise UnusableInput(f"MMS fallback {self.mms_fallback!r}: use one of {', '.join(get_args(MmsFallback))}")
        if self.region is not None and self.region.upper() not in SUPPORTED_REGIONS:
            raise UnusableInput(f"region {self.region!r} is no country: use two letters such as US or DE")
        if not 1 <= self.weight <= MAX_WEIGHT:
            raise UnusableInput(f"weight {self.weight}: use 1 to {MAX_WEIGHT}")
        if self.idempotency_key is not None and not 1 <= len(self.idempotency_key) <= MAX_KEY:
            raise UnusableInput(f"an idempotency key has 1 to {MAX_KEY} characters")


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
    notes: tuple[str, ...] = ()
    """What a person should know beside the counts."""

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
