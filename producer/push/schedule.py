"""When a push must be with the carrier: its expiry, and whether that can be kept. The carrier's scheduling has its own."""

import time
from datetime import UTC, datetime
from decimal import Decimal

from producer.push.request import PushRequest
from producer.push.rules import EARLIEST
from volley.errors import UnusableInput
from volley.outbox.throughput import seconds
from volley.settings import Settings

MARGIN_US = 20_000_000
"""A POST takes its time, and the carrier's clock may differ from ours."""
_SHARE = 2
"""A scheduled push is refused where less than one in so many could be posted in time."""


def expiry_us(request: PushRequest, settings: Settings) -> int:
    """After this (µs since 1970) nothing is posted any more. What is scheduled must be with the carrier 5 minutes before.

    Raises:
        UnusableInput: that moment is over.
    """
    now_us = time.time_ns() // 1000
    starts_us = max(now_us, 0 if request.start is None else _us(request.start))
    moment = starts_us + int(settings.expire_hours * 3_600_000_000)
    if request.expires is not None:
        moment = _us(request.expires)
        if moment <= now_us:
            raise UnusableInput(f"the push expires at {request.expires.isoformat()}, which is over")
    if request.send_at is None:
        return moment
    last = _us(request.send_at) - int(EARLIEST.total_seconds() * 1_000_000) - MARGIN_US
    if last <= now_us:
        raise UnusableInput(
            "too little time to post it: the carrier wants it 5 minutes before; choose a later --send-at"
        )
    return min(moment, last)


def in_time(parts: int, rate: Decimal, expires_us: int) -> str:
    """What a person should know of a scheduled push, '' if all can be posted in time.

    Raises:
        UnusableInput: most of it could not; what cannot would only expire.
    """
    left_s = expires_us / 1_000_000 - time.time()
    needed_s = seconds(parts, rate)
    if needed_s is not None and needed_s <= left_s:
        return ""
    at = datetime.fromtimestamp(expires_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    can = min(parts, max(0, int(float(rate) * left_s)))
    told = f"at {rate.normalize():f} parts/s only {can} of {parts} parts can be posted by {at}"
    if can * _SHARE < parts:
        raise UnusableInput(
            f"{told}, 5 minutes before they are to go: choose a later --send-at, or send fewer at a time"
        )
    return f"{told}: the rest will expire and not be sent"


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
