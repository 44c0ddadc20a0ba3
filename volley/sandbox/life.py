"""What becomes of an accepted message, as a pure function of the seed and its place; and its payload at a later moment."""

from dataclasses import dataclass, replace
from typing import Literal

import orjson

from volley.sandbox.accepted import Odd
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.moments import VALID_US, moment
from volley.sandbox.payload import Prices

_MASK = (1 << 64) - 1

Status = Literal[
    "scheduled", "cancelled", "queued", "sent", "delivered", "delivery_failed", "delivery_unconfirmed", "sending_failed"
]

_LATE_ERRORS = {
    "40001": ("Not routable", "The destination number is either a landline or a non-routable wireless number."),
    "40002": ("Blocked as spam - temporary", "The message was flagged by a spam filter and was not delivered."),
    "40003": ("Blocked as spam - permanent", "The sending number is permanently blocked by the destination network."),
    "40004": ("Rejected by destination", "The recipient server is rejecting the message for an unknown reason."),
    "40006": ("Recipient server unavailable", "The recipient server is not available or not accepting connections."),
    "40008": ("Undeliverable message", "The recipient carrier did not accept the message."),
    "40010": ("Not 10DLC registered", "The sending number is not registered to a 10DLC campaign."),
    "40012": ("Invalid destination", "The destination carrier rejected the destination number."),
    "40014": ("Message expired in queue", "The message was not sent before its validity ended."),
    "40015": ("Blocked as spam - internal", "The message was flagged by an internal spam filter."),
    "40300": ("Blocked due to STOP message", "The recipient opted out before the message was sent."),
    "40318": ("Queue full", "The queue of the sender was full when the message was due."),
}


@dataclass(frozen=True, slots=True)
class Life:
    """Moments are wall-clock µs. `sent_us` None: it never left the queue; `done_us` None: it stays at sent for ever.

    `due_us` is when it was scheduled for, 0 for none, and `queued_us` when it was handed to the queue then.
    """

    sent_us: int | None
    done_us: int | None
    end: Status
    code: str
    duplicated: bool = False
    reversed: bool = False
    due_us: int = 0
    queued_us: int | None = None


def leaves_us(spec: ReceiptSpec, wall_us: int, wait_us: int) -> int:
    """When the first thing happens to a message: it leaves the queue, or its validity ends there."""
    return wall_us + (VALID_US if wait_us > VALID_US else wait_us + int(spec.sent_after_s * 1e6))


def life(spec: ReceiptSpec, seed: int, place: int, wall_us: int, wait_us: int) -> Life:
    """The same for the same seed and place, whenever it is asked."""
    share, length, duplicated, reverse, code = (_draw(seed, place, turn) for turn in range(5))
    odd = duplicated < spec.duplicated, reverse < spec.reversed
    sent_us = leaves_us(spec, wall_us, wait_us)
    if wait_us > VALID_US:
        return Life(None, sent_us, "sending_failed", "40014", *odd)
    low, high = spec.done_after_s
    done_us = sent_us + int((low + (high - low) * length) * 1e6)
    if share < spec.failed:
        return Life(sent_us, done_us, "delivery_failed", spec.error_codes[int(code * len(spec.error_codes))], *odd)
    if share < spec.failed + spec.unconfirmed:
        return Life(sent_us, done_us, "delivery_unconfirmed", "", *odd)
    if share < spec.failed + spec.unconfirmed + spec.silent:
        return Life(sent_us, None, "sent", "", *odd)
    return Life(sent_us, done_us, "delivered", "", *odd)


def odd_life(odd: Odd, sent: Life) -> Life:
    """The life of a scheduled message; `sent` is what becomes of it once it is handed to the queue."""
    due_us = odd.send_at_us
    if odd.cancelled_us:
        return Life(None, odd.cancelled_us, "cancelled", "", due_us=due_us)
    if odd.code:
        return Life(None, odd.left_us, "sending_failed", odd.code, due_us=due_us)
    if not odd.left_us:
        return Life(None, None, "scheduled", "", due_us=due_us)
    return replace(sent, due_us=due_us, queued_us=odd.left_us)


def _draw(seed: int, place: int, turn: int) -> float:
    """Evenly between 0 and 1: splitmix64 (Steele, Lea, Flood 2014), which needs no state that is dear to make."""
    mixed = (seed * 0x5851F42D4C957F2D + place * 8 + turn + 1) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return (mixed ^ mixed >> 31) / 2**64


def payload_at(posted: bytes, life: Life, prices: Prices, now_us: int) -> dict[str, object]:
    """The payload at a moment. `posted` is what the POST answered: `{"data": payload}`."""
    payload: dict[str, object] = orjson.loads(posted)["data"]
    if life.due_us:
        payload |= _scheduled(life, now_us)
        _set_status(payload, "scheduled" if life.queued_us is None or now_us < life.queued_us else "queued")
    if life.sent_us is not None and now_us >= life.sent_us:
        payload |= {"sent_at": moment(life.sent_us), "valid_until": None, "wait_seconds": 0.0}
        _set_status(payload, "sent")
    if life.done_us is not None and now_us >= life.done_us:
        payload |= {"completed_at": moment(life.done_us), "valid_until": None, "errors": _errors(life.code)}
        _set_status(payload, life.end)
        _set_cost(payload, life, prices)
    return payload


def _scheduled(life: Life, now_us: int) -> dict[str, object]:
    """`send_at`, and a validity that begins when the queue does."""
    queued = life.queued_us is not None and now_us >= life.queued_us
    valid = moment((life.queued_us or 0) + VALID_US) if queued else None
    return {"send_at": moment(life.due_us), "valid_until": valid}


def _set_status(payload: dict[str, object], status: Status) -> None:
    recipients = payload["to"]
    assert isinstance(recipients, list)
    recipients[0]["status"] = status


def _set_cost(payload: dict[str, object], life: Life, prices: Prices) -> None:
    """What never left the queue costs nothing; a failure behind it is charged."""
    if life.sent_us is None:
        payload |= {"cost": {"amount": "0.0", "currency": _currency(payload)}, "cost_breakdown": None}
        return
    cost, breakdown = prices.final(_recipient(payload), int(str(payload["parts"])), payload.get("type") == "MMS")
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
