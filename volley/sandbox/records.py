"""Detail records: what the bill says of a message, attribute by attribute."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from volley.numbers import country
from volley.sandbox.config import ORGANIZATION_ID, Price
from volley.sandbox.life import Life, Status
from volley.sandbox.moments import moment
from volley.sandbox.payload import carrier_of
from volley.sandbox.pool import SandboxNumber, SandboxProfile

_STATUSES: dict[Status, str] = {
    "delivered": "delivered",
    "delivery_failed": "failed",
    "delivery_unconfirmed": "dlr_unconfirmed",
    "sending_failed": "gw_reject",
}
_MOBILE_CODES = {"US": ("310", "260"), "CA": ("302", "720"), "GB": ("234", "10")}


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A message as it is billed. `person` is who is not us; `life` None: it came in. `seen_us`: in no list before that."""

    uuid: str
    number: SandboxNumber
    profile: SandboxProfile
    person: str
    type: str
    parts: int
    price: Price
    created_us: int
    seen_us: int
    life: Life | None
    url: str = ""
    failover: str = ""

    @property
    def rate(self) -> Decimal:
        """Price and fee of one part."""
        return Decimal(self.price.rate) + Decimal(self.price.carrier_fee)

    @property
    def cost(self) -> Decimal:
        """What never left the queue costs nothing."""
        left = self.life is None or self.life.sent_us is not None
        return self.rate * self.parts if left else Decimal("0.0")

    def ended_us(self, now_us: int) -> int | None:
        """When its last word was spoken, None while that is to come."""
        if self.life is None:
            return self.created_us
        done_us = self.life.done_us
        return done_us if done_us is not None and done_us <= now_us else None

    def status(self, now_us: int) -> str:
        """`dlr_timeout` for what stays at sent for ever; `received` for what has no last word yet (ours: Telnyx does not say)."""
        life = self.life
        if life is None:
            return "received"
        if life.done_us is None:
            return "dlr_timeout"
        return "received" if life.done_us > now_us else _STATUSES[life.end]


Value = object
_MOMENTS: dict[str, Callable[[Record, int], int | None]] = {
    "created_at": lambda each, _: each.created_us,
    "sent_at": lambda each, _: None if each.life is None else each.life.sent_us,
    "completed_at": Record.ended_us,
    "updated_at": lambda each, now_us: each.ended_us(now_us) or (each.life and each.life.sent_us) or each.created_us,
}
"""Wall-clock µs."""

_REST: dict[str, Callable[[Record, int], Value]] = {
    "uuid": lambda each, _: each.uuid,
    "user_id": lambda *_: ORGANIZATION_ID,
    "profile_id": lambda each, _: each.profile.spec.id,
    "profile_name": lambda each, _: each.profile.spec.name,
    "direction": lambda each, _: "outbound" if each.life else "inbound",
    "message_type": lambda each, _: each.type,
    "cli": lambda each, _: each.number.number if each.life else each.person,
    "cld": lambda each, _: each.person if each.life else each.number.number,
    "status": Record.status,
    "errors": lambda each, now_us: [each.life.code] if each.life and each.life.code and each.ended_us(now_us) else [],
    "parts": lambda each, _: each.parts,
    "rate": lambda each, _: each.price.rate,
    "carrier_fee": lambda each, _: each.price.carrier_fee,
    "cost": lambda each, _: str(each.cost),
    "currency": lambda each, _: each.price.currency,
    "carrier": lambda each, _: carrier_of(each.person),
    "country_code": lambda each, _: _country(each.person) if each.life else each.number.country,
    "source_country_code": lambda each, _: each.number.country if each.life else _country(each.person),
    "mcc": lambda each, _: _MOBILE_CODES.get(_country(each.person), ("", ""))[0],
    "mnc": lambda each, _: _MOBILE_CODES.get(_country(each.person), ("", ""))[1],
    "on_net": lambda *_: False,
    "fteu": lambda *_: False,
    "tags": lambda each, _: ",".join(each.number.tags),
    "delivery_status": lambda each, _: "success: webhook succeeded" if each.url else "",
    "delivery_status_webhook_url": lambda each, _: each.url,
    "delivery_status_failover_url": lambda each, _: each.failover,
}

ATTRIBUTES: dict[str, Callable[[Record, int], Value]] = {**_MOMENTS, **_REST}
"""Attribute → its value at a moment; those that are moments are in µs here."""

MOMENTS = frozenset(_MOMENTS)


def row(record: Record, now_us: int) -> dict[str, object]:
    """MessageDetailRecord; what is not known yet is left out."""
    found: dict[str, object] = {"record_type": "message_detail_record"}
    for name, value in _MOMENTS.items():
        at_us = value(record, now_us)
        if at_us is not None:
            found[name] = moment(at_us)
    return found | {name: value(record, now_us) for name, value in _REST.items()}


def _country(person: str) -> str:
    return country(int(person)) if person.startswith("+") else ""
