"""Orders that move many numbers at once: /messaging_numbers_bulk_updates. They take a while, as at Telnyx."""

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pydantic import Field

from volley.sandbox.bodies import Body, read
from volley.sandbox.changes import Changes
from volley.sandbox.paging import Query, Row, one
from volley.sandbox.pool import SandboxProfile
from volley.sandbox.replies import Refusal

_SLICES = 5
_E164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch


class _Order(Body):
    """BulkMessagingSettingsUpdatePhoneNumbersRequest. `assign_only` changes nothing else, and here nothing else is changed anyway."""

    messaging_profile_id: str
    numbers: tuple[str, ...] = Field(min_length=1)
    assign_only: bool = False


@dataclass(slots=True)
class _Progress:
    id: str
    profile: SandboxProfile | None
    pending: list[str]
    success: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class BulkRoom:
    """A room of App (app.py). `at` (µs of the monotonic clock, call) does something later; an order takes `seconds`."""

    def __init__(self, changes: Changes, at: Callable[[int, Callable[[], None]], None], seconds: float) -> None:
        self._changes = changes
        self._at = at
        self._slice_us = int(seconds * 1e6 / _SLICES)
        self._orders: dict[str, _Progress] = {}

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case b"POST", ["messaging_numbers_bulk_updates"]:
                return one(_row(self._begin(read(_Order, body))))
            case b"GET", ["messaging_numbers_bulk_updates", order_id]:
                if order_id not in self._orders:
                    raise Refusal("10005")
                return one(_row(self._orders[order_id]))
        return None

    def _begin(self, order: _Order) -> _Progress:
        for place, number in enumerate(order.numbers):
            if not _E164(number):
                raise Refusal("10016", pointer=f"/numbers/{place}")
        wanted = order.messaging_profile_id
        profile = self._changes.profile(wanted, pointer="/messaging_profile_id") if wanted else None
        progress = _Progress(str(uuid.uuid4()), profile, list(dict.fromkeys(order.numbers)))
        self._orders[progress.id] = progress
        if self._slice_us:
            self._later(progress, -(-len(progress.pending) // _SLICES))
        else:
            self._advance(progress, len(progress.pending))
        return progress

    def _later(self, progress: _Progress, count: int) -> None:
        self._at(time.monotonic_ns() // 1000 + self._slice_us, partial(self._advance, progress, count))

    def _advance(self, progress: _Progress, count: int) -> None:
        numbers, progress.pending = progress.pending[:count], progress.pending[count:]
        found = {name: self._changes.numbers.phone(name) for name in numbers}
        movable = {name: each for name, each in found.items() if each is not None and each.products}
        gone = progress.profile is not None and progress.profile.spec.id not in self._changes.numbers.profiles
        if gone:
            movable = {}
        self._changes.assign(movable.values(), progress.profile, time.time_ns() // 1000)
        progress.success += movable
        progress.failed += [name for name in numbers if name not in movable]
        if progress.pending:
            self._later(progress, count)


def _row(progress: _Progress) -> Row:
    """BulkMessagingSettingsUpdatePhoneNumbers."""
    return {
        "record_type": "messaging_numbers_bulk_update",
        "order_id": progress.id,
        "success": progress.success,
        "failed": progress.failed,
        "pending": progress.pending,
    }
