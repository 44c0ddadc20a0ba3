"""Delivery receipts: message.sent and message.finalized of each accepted message, at their moments, now or when released."""

import time
import uuid
from collections import deque
from functools import partial

from volley.sandbox.accepted import Taken
from volley.sandbox.archive import Archive
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.later import Later
from volley.sandbox.life import Life
from volley.sandbox.webhooks import Courier, Event


class Receipts:
    """`follow` is told of each accepted message that has a webhook URL."""

    def __init__(self, spec: ReceiptSpec, later: Later, courier: Courier, archive: Archive) -> None:
        self._spec = spec
        self._later = later
        self._courier = courier
        self._archive = archive
        self._namespace = uuid.uuid4()
        self._deferred: deque[tuple[Taken, tuple[str, ...]]] = deque()

    @property
    def counts(self) -> dict[str, int]:
        return self._courier.counts | {"deferred": len(self._deferred), "scheduled": len(self._later)}

    def follow(self, taken: Taken, url: str, failover: str) -> None:
        urls = (url, failover) if failover else (url,)
        if self._spec.mode == "defer":
            self._deferred.append((taken, urls))
        elif self._spec.mode == "on":
            self._schedule(taken, urls)

    def release(self, limit: int) -> int:
        """Lets deferred receipts go, the oldest first; how many messages."""
        count = min(limit, len(self._deferred))
        for _ in range(count):
            self._schedule(*self._deferred.popleft())
        return count

    def _schedule(self, taken: Taken, urls: tuple[str, ...]) -> None:
        fate = self._archive.life(taken)
        events = [("message.sent", fate.sent_us), ("message.finalized", fate.done_us)]
        due = [at for _, at in events]
        if fate.reversed and None not in due:
            due.reverse()
        shift_us = time.monotonic_ns() // 1000 - time.time_ns() // 1000
        for (kind, at_us), due_us in zip(events, due, strict=True):
            if at_us is not None and due_us is not None:
                self._later.at(due_us + shift_us, partial(self._emit, taken, fate, kind, at_us, urls))

    def _emit(self, taken: Taken, fate: Life, kind: str, at_us: int, urls: tuple[str, ...]) -> None:
        payload = self._archive.show(taken, fate, at_us)
        data: dict[str, object] = {
            "record_type": "event",
            "event_type": kind,
            "id": str(uuid.uuid5(self._namespace, f"{taken.id}:{kind}")),
            "occurred_at": payload["completed_at"] if kind == "message.finalized" else payload["sent_at"],
            "payload": payload,
        }
        for _ in range(2 if fate.duplicated else 1):
            self._courier.post(Event(data, urls))
