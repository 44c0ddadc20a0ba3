"""Delivery receipts: message.sent and message.finalized of each accepted message, at their moments, now or when released."""

import time
from collections import deque
from functools import partial

from volley.sandbox.accepted import Taken
from volley.sandbox.archive import Archive
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.deliveries import Event
from volley.sandbox.draft import Draft
from volley.sandbox.later import Later
from volley.sandbox.life import Life, leaves_us
from volley.sandbox.webhooks import Courier, event_data

_KINDS = ("message.sent", "message.finalized")


class Receipts:
    """`follow` is told of each accepted message that has a webhook URL."""

    def __init__(self, spec: ReceiptSpec, later: Later, courier: Courier, archive: Archive) -> None:
        self._spec = spec
        self._later = later
        self._courier = courier
        self._archive = archive
        self._deferred: deque[tuple[Taken, tuple[str, ...]]] = deque()

    @property
    def counts(self) -> dict[str, int]:
        return self._courier.counts | {"deferred": len(self._deferred), "scheduled": len(self._later)}

    def follow(self, taken: Taken, draft: Draft) -> None:
        if self._spec.mode == "defer":
            self._deferred.append((taken, urls_of(draft)))
        elif self._spec.mode == "on":
            self._schedule(taken, urls_of(draft))

    def release(self, limit: int) -> int:
        """Lets deferred receipts go, the oldest first; how many messages."""
        count = min(limit, len(self._deferred))
        for _ in range(count):
            self._schedule(*self._deferred.popleft())
        return count

    def _schedule(self, taken: Taken, urls: tuple[str, ...]) -> None:
        """What becomes of it is worked out when it begins: the send that is being answered does not wait for that."""
        odd = taken.odd
        since_us, wait_us = (odd.left_us, odd.wait_us) if odd and odd.left_us else (taken.wall_us, taken.wait_us)
        begins_us = since_us if odd and odd.code else leaves_us(self._spec, since_us, wait_us)
        self._later.at(begins_us + shift_us(), partial(self._begin, taken, urls))

    def _begin(self, taken: Taken, urls: tuple[str, ...]) -> None:
        fate = self._archive.life(taken)
        events = [(kind, at) for kind, at in zip(_KINDS, (fate.sent_us, fate.done_us), strict=True) if at is not None]
        due = [at for _, at in events]
        if fate.reversed:
            due.reverse()
        for (kind, at_us), due_us in zip(events, due, strict=True):
            self._later.at(due_us + shift_us(), partial(self._emit, taken, fate, kind, at_us, urls))

    def _emit(self, taken: Taken, fate: Life, kind: str, at_us: int, urls: tuple[str, ...]) -> None:
        payload = self._archive.show(taken, fate, at_us)
        occurred_at = payload["completed_at"] if kind == "message.finalized" else payload["sent_at"]
        data = event_data(kind, taken.id, occurred_at, payload)
        for _ in range(2 if fate.duplicated else 1):
            self._courier.post(Event(data, urls))


def urls_of(draft: Draft) -> tuple[str, ...]:
    """Where the webhooks of a message go, in the order in which they are tried."""
    standby = draft.standby or (draft.webhook_failover_url,)
    return tuple(dict.fromkeys(url for url in (draft.webhook_url, *standby) if url))


def shift_us() -> int:
    """From the wall clock to the monotonic one."""
    return (time.monotonic_ns() - time.time_ns()) // 1000
