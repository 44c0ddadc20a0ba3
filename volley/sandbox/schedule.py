"""Scheduled messages: sent when they are due, or cancelled before; DELETE /v2/messages/{id}."""

import time
from functools import partial
from typing import NamedTuple

import orjson

from volley.sandbox.accepted import Taken
from volley.sandbox.archive import Archive
from volley.sandbox.arrivals import ArrivalLog, Entry
from volley.sandbox.config import SandboxConfig
from volley.sandbox.draft import Draft
from volley.sandbox.later import Later
from volley.sandbox.limits import Queues
from volley.sandbox.optouts import OptOuts
from volley.sandbox.receipts import Receipts, shift_us
from volley.sandbox.replies import Refusal, bare_error, http_reply, ok

_MOST = 1_000_000


class _Pending(NamedTuple):
    taken: Taken
    draft: Draft
    entry: Entry


class Schedule:
    """A room of App (app.py). `put` takes a scheduled message."""

    def __init__(
        self,
        config: SandboxConfig,
        archive: Archive,
        queues: Queues,
        log: ArrivalLog,
        later: Later,
        receipts: Receipts,
        optouts: OptOuts,
    ) -> None:
        self._archive = archive
        self._queues = queues
        self._log = log
        self._later = later
        self._receipts = receipts
        self._optouts = optouts
        self._before_us = int(config.cancel_min_s * 1e6)
        self._wrapped = config.cancel_wrapped
        self._pending: dict[int, _Pending] = {}

    def room(self) -> None:
        """Raises Refusal 40318 where too many wait already."""
        if len(self._pending) >= _MOST:
            raise Refusal("40318", "1,000,000 scheduled messages are pending.")

    def put(self, taken: Taken, draft: Draft, entry: Entry) -> bytes:
        """Sends it when it is due; what its POST answers. `entry` is that of the POST."""
        assert taken.odd is not None
        self._pending[taken.place] = _Pending(taken, draft, entry)
        self._later.at(taken.odd.send_at_us + shift_us(), partial(self._send, taken.place))
        return self.answer_of(taken)

    def answer_of(self, taken: Taken) -> bytes:
        """What the POST of a scheduled message answered."""
        assert taken.odd is not None
        fresh = taken._replace(odd=type(taken.odd)(taken.odd.as_sms, taken.odd.sizes, taken.odd.send_at_us))
        return orjson.dumps({"data": self._archive.show(fresh, self._archive.life(fresh), taken.wall_us)})

    def _send(self, place: int) -> None:
        found = self._pending.pop(place, None)
        if found is None:
            return
        taken, draft, _ = found
        entry = _entry_now(found.entry)
        odd = taken.odd
        assert odd is not None
        odd.left_us = entry.wall_us
        try:
            if self._optouts.blocks(draft.profile.spec.id, draft.to):
                raise Refusal("40300")
            odd.wait_us = enter(self._queues, draft, entry.at_us)
        except Refusal as refusal:
            odd.code = entry.code = refusal.code
            entry.status = refusal.status
        else:
            entry.result = "accepted"
        self._log.add(entry)
        if draft.webhook_url:
            self._receipts.follow(taken, draft)

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        if method != b"DELETE" or len(steps) != 2 or steps[0] != "messages":
            return None
        return self._cancel(steps[1], time.time_ns() // 1000)

    def _cancel(self, message_id: str, now_us: int) -> bytes:
        """Telnyx's pages show bare objects here: the message without `data`, an error without `errors`."""
        taken = self._archive.find(message_id)
        if taken is None:
            return http_reply(404, bare_error("40303"))
        odd = taken.odd
        if odd is None or taken.place not in self._pending or odd.send_at_us - now_us <= self._before_us:
            return http_reply(
                403, bare_error("10010", "Only a scheduled message that is not due soon can be cancelled.")
            )
        entry = _entry_now(self._pending.pop(taken.place).entry)
        entry.result = "cancelled"
        odd.cancelled_us = now_us
        self._log.add(entry)
        payload = self._archive.show(taken, self._archive.life(taken), now_us)
        del payload["wait_seconds"]
        return ok(orjson.dumps({"data": payload} if self._wrapped else payload))


def enter(queues: Queues, draft: Draft, now_us: int) -> int:
    """Puts a message into the queues that are its own; how long it waits there (µs). Raises Refusal 40318."""
    number = draft.number
    if draft.media:
        return queues.enter_mms(number.index, number.bucket, now_us)
    return queues.enter(number.bucket, now_us, draft.content.parts)


def _entry_now(posted: Entry) -> Entry:
    """What the log says of a scheduled message when something becomes of it; `posted` is what it said at its POST."""
    entry = Entry(time.monotonic_ns() // 1000, time.time_ns() // 1000)
    for name in ("id", "sender", "to", "parts", "key", "text_crc", "reference", "type"):
        setattr(entry, name, getattr(posted, name))
    return entry
