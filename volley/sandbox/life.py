"""What becomes of an accepted message, as a pure function of the seed and its place; and its payload at a later moment."""

import random
from dataclasses import dataclass
from typing import Literal

import orjson

from volley.sandbox.config import ReceiptSpec
from volley.sandbox.payload import VALID_US, Prices, stamp

Status = Literal["sent", "delivered", "delivery_failed", "delivery_unconfirmed", "sending_failed"]

_LATE_ERRORS = {
    "40001": ("Not routable", "The destination number is either a landline or a non-routable wireless number."),
    "40002": ("Blocked as spam - temporary", "The message was flagged by a spam filter and was not delivered."),
    "40003": ("Blocked as spam - permanent", "The sending number is permanently blocked by the destination network."),
    "40004": ("Rejected by destination", "The recipient server is rejecting the message for an unknown reason."),
    "40006": ("Recipient server unavailable", "The recipient server is not available or not accepting connections."),
    "40008": ("Undeliverable message", "The recipient carrier did not accept the message."),
    "40012": ("Invalid destination", "The destination carrier rejected the destination number."),
    "40014": ("Message expired in queue", "The message was not sent before its validity ended."),
    "40015": ("Blocked as spam - internal", "The message was flagged by an internal spam filter."),
}


@dataclass(frozen=True, slots=True)
class Life:
    """Moments are wall-clock µs. `sent_us` None: it never left the queue; `done_us` None: it stays at sent for ever."""

    sent_us: int | None
    done_us: int | None
    end: Status
    code: str
    duplicated: bool
    reversed: bool


def life(spec: ReceiptSpec, seed: int, index: int, wall_us: int, wait_us: int) -> Life:
    """The same for the same seed and place, whenever it is asked."""
    draw = random.Random(f"{seed}:{index}")
    share, low_high, duplicated, reverse = draw.random(), draw.uniform(*spec.done_after_s), draw.random(), draw.random()
    odd = duplicated < spec.duplicated, reverse < spec.reversed
    if wait_us > VALID_US:
        return Life(None, wall_us + VALID_US, "sending_failed", "40014", *odd)
    sent_us = wall_us + wait_us + int(spec.sent_after_s * 1e6)
    done_us = sent_us + int(low_high * 1e6)
    if share < spec.failed:
        return Life(sent_us, done_us, "delivery_failed", draw.choice(spec.error_codes), *odd)
    if share < spec.failed + spec.unconfirmed:
        return Life(sent_us, done_us, "delivery_unconfirmed", "", *odd)
    if share < spec.failed + spec.unconfirmed + spec.silent:
        return Life(sent_us, None, "sent", "", *odd)
    return Life(sent_us, done_us, "delivered", "", *odd)


def payload_at(posted: bytes, life: Life, prices: Prices, now_us: int) -> dict[str, object]:
    """The payload at a moment. `posted` is what the POST answered: `{"data": payload}`."""
    payload: dict[str, object] = orjson.loads(posted)["data"]
    if life.sent_us is not None and now_us >= life.sent_us:
        payload |= {"sent_at": _text(life.sent_us), "valid_until": None, "wait_seconds": 0.0}
        _set_status(payload, "sent")
    if life.done_us is not None and now_us >= life.done_us:
        payload |= {"completed_at": _text(life.done_us), "valid_until": None, "errors": _errors(life.code)}
        _set_status(payload, life.end)
        _set_cost(payload, life, prices)
    return payload


def _set_status(payload: dict[str, object], status: Status) -> None:
    recipients = payload["to"]
    assert isinstance(recipients, list)
    recipients[0]["status"] = status


def _set_cost(payload: dict[str, object], life: Life, prices: Prices) -> None:
    """What never left the queue costs nothing; a failure behind it is charged."""
    if life.sent_us is None:
        payload |= {"cost": {"amount": "0.0", "currency": _currency(payload)}, "cost_breakdown": None}
        return
    cost, breakdown = prices.final(_recipient(payload), int(str(payload["parts"])))
    payload |= {"cost": orjson.loads(cost), "cost_breakdown": orjson.loads(breakdown)}


def _recipient(payload: dict[str, object]) -> str:
    recipients = payload["to"]
    assert isinstance(recipients, list)
    return str(recipients[0]["phone_number"])


def _currency(payload: dict[str, object]) -> str:
    cost = payload["cost"]
    return str(cost["currency"]) if isinstance(cost, dict) else "USD"


def _errors(code: str) -> list[dict[str, str]]:
    if not code:
        return []
    title, detail = _LATE_ERRORS.get(code, ("Undeliverable message", "The message could not be delivered."))
    return [{"code": code, "title": title, "detail": detail}]


def _text(wall_us: int) -> str:
    return stamp(wall_us)[1:-1].decode()
