"""The send endpoint: harm, replay, check, queue, accept, answer; each step tells the log what it found."""

import zlib
from functools import partial
from typing import NamedTuple

import orjson

from volley.sandbox.accepted import Keys, Odd, Taken
from volley.sandbox.archive import Archive
from volley.sandbox.arrivals import Entry
from volley.sandbox.config import SandboxConfig
from volley.sandbox.draft import Draft
from volley.sandbox.endpoints import Endpoint
from volley.sandbox.faults import Fault, Faults
from volley.sandbox.http import Reply, Request
from volley.sandbox.limits import Queues
from volley.sandbox.optouts import OptOuts
from volley.sandbox.receipts import Receipts
from volley.sandbox.replies import Refusal, ok
from volley.sandbox.schedule import Schedule, enter
from volley.sandbox.spend import Spend

_KEY_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:-"
_MAX_KEY = 255
_REPLAYED = b"idempotent-replayed: true\r\n"


class Send(NamedTuple):
    """One authorised request. `raw` is its body as it came, `headers` the lines that go into its answer."""

    line: bytes
    raw: bytes
    body: dict[str, object]
    key: bytes
    entry: Entry
    headers: bytes
    endpoint: Endpoint


class Sends:
    """POST /v2/messages and its variants."""

    def __init__(
        self,
        config: SandboxConfig,
        archive: Archive,
        queues: Queues,
        faults: Faults,
        receipts: Receipts,
        schedule: Schedule,
        optouts: OptOuts,
        spend: Spend,
    ) -> None:
        self._archive = archive
        self._check = archive.desk.check
        self._faults = faults
        self._receipts = receipts
        self._queues = queues
        self._schedule = schedule
        self._blocked = optouts.by_profile
        self._spend = spend
        self._keys = Keys(config.remember)
        self._honours_keys = config.idempotency == "honoured" and config.remember > 0
        self._latency_us = int(config.latency_ms[0] * 1000), int(config.latency_ms[1] * 1000)
        self._at_once = self._latency_us == (0, 0)
        self._spread = config.seed

    def post(self, request: Request, entry: Entry, headers: bytes, endpoint: Endpoint) -> bytes | Reply:
        """`entry` is in the log already. Raises Refusal."""
        body = _parse(request.body)
        sender, to = body.get("from"), body.get("to")
        entry.sender = sender if isinstance(sender, str) else ""
        entry.to = to if isinstance(to, str) else ""
        key = request.header(b"\r\nidempotency-key:")
        if key:
            entry.key = key.decode("ascii", "replace")
        send = Send(request.line, request.body, body, key, entry, headers, endpoint)
        fault = self._faults.pick(entry.sender, entry.to) if self._faults.sends else None
        if fault is not None:
            return self._harm(fault, send)
        raw = self._take(send)
        return raw if self._at_once else Reply(raw, self._delay_us())

    def _harm(self, fault: Fault, send: Send) -> Reply:
        entry, rule = send.entry, fault.rule
        entry.fault = rule.kind
        raw = self._taken_or_refused(send) if rule.accepts else Refusal("10007").raw(send.headers)
        reply = fault.answer(raw)
        if rule.kind == "status":
            entry.status, entry.code = rule.status, rule.code
        return self._late(reply, send.key)

    def _taken_or_refused(self, send: Send) -> bytes:
        try:
            return self._take(send)
        except Refusal as refusal:
            send.entry.status, send.entry.code = refusal.status, refusal.code
            return refusal.raw(send.headers)

    def _late(self, reply: Reply, key: bytes) -> Reply:
        """While a fault holds an answer back its key is in flight: 10036 for whoever comes with it."""
        late = reply._replace(delay_us=reply.delay_us + self._delay_us())
        if not (key and reply.delay_us and self._honours_keys):
            return late
        self._keys.in_flight.add(key)
        return late._replace(sent=partial(self._keys.in_flight.discard, key))

    def _delay_us(self) -> int:
        low, high = self._latency_us
        if high <= low:
            return low
        self._spread = (self._spread * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return low + (self._spread >> 8) % (high - low)

    def _take(self, send: Send) -> bytes:
        if not (send.key and self._honours_keys):
            return ok(self._accept(send)[1], send.headers)
        scope = send.line + b" " + send.key
        earlier = self._replay(scope, send)
        if earlier is not None:
            return ok(self._posted(earlier), _REPLAYED + send.headers)
        index, raw = self._accept(send)
        self._keys.put(scope, index)
        return ok(raw, send.headers)

    def _accept(self, send: Send) -> tuple[int, bytes]:
        entry = send.entry
        draft = self._check(send.body, send.endpoint)
        profile, parts, odd = draft.profile, draft.content.parts, draft.odd
        if self._blocked and draft.to in self._blocked.get(profile.spec.id, ()):
            raise Refusal("40300", pointer="/to")
        if profile.spec.daily_spend_limit_enabled:
            self._spend.check(profile, entry.wall_us)
        wait_us = (
            self._enter_odd(draft, odd, entry) if odd else self._queues.enter(draft.number.bucket, entry.at_us, parts)
        )
        taken, raw = self._archive.add(draft, entry.wall_us, wait_us, send.raw)
        entry.id = taken.id
        entry.sender = draft.number.number
        entry.parts = parts
        entry.text_crc = zlib.crc32(draft.text.encode())
        entry.reference = str(send.body.get("webhook_url") or "")
        if odd is not None and odd.send_at_us:
            entry.result = "scheduled"
            return taken.place, self._schedule.put(taken, draft, entry)
        entry.result = "accepted"
        if draft.webhook_url:
            self._receipts.follow(taken, draft)
        return taken.place, raw

    def _enter_odd(self, draft: Draft, odd: Odd, entry: Entry) -> int:
        """An MMS has queues of its own; what is scheduled is in none yet."""
        entry.type = "MMS" if draft.media else "SMS"
        if odd.send_at_us:
            self._schedule.room()
            return 0
        return enter(self._queues, draft, entry.at_us)

    def _posted(self, taken: Taken) -> bytes:
        """What its POST answered."""
        odd = taken.odd
        return self._schedule.answer_of(taken) if odd and odd.send_at_us else self._archive.posted(taken)

    def _replay(self, scope: bytes, send: Send) -> Taken | None:
        """The message that this key made earlier; None where it made none. Raises Refusal 10036, 10027, 10015."""
        key, entry, accepted = send.key, send.entry, self._archive.accepted
        if len(key) > _MAX_KEY or key.translate(None, _KEY_CHARACTERS):
            raise Refusal("10015", "The Idempotency-Key must match ^[A-Za-z0-9_:-]{1,255}$.")
        if key in self._keys.in_flight:
            raise Refusal("10036")
        index = self._keys.find(scope)
        if index is None or accepted.older_than_a_day(index, entry.wall_us):
            return None
        if not accepted.same_body(index, send.raw):
            raise Refusal("10027", "This idempotency key was used with another body.")
        taken = accepted.get(index, send.raw)
        if taken is not None:
            entry.id, entry.result, entry.sender = taken.id, "replayed", self._archive.sender(taken)
        return taken


def _parse(raw: bytes) -> dict[str, object]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal("10023", f"The request body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refusal("10015", "The request body must be a JSON object.")
    return body
