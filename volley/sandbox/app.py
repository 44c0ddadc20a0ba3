"""From a request to what answers it: authorisation, the limit of requests, sends, and the rooms for all the rest."""

import time
from collections.abc import Sequence
from email.utils import formatdate
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from volley.sandbox.arrivals import ArrivalLog, Entry
from volley.sandbox.config import SandboxConfig
from volley.sandbox.control import Control
from volley.sandbox.endpoints import ENDPOINTS, Endpoint
from volley.sandbox.http import Reply, Request
from volley.sandbox.limits import RequestLimit
from volley.sandbox.messages import Sends
from volley.sandbox.replies import Refusal

_CONTROL = "_sandbox"
_AUTHORIZATION = b"\r\nauthorization:"


class Room(Protocol):
    """Answers the requests of one subject. `steps` are the path's, decoded, without `v2` (or `_sandbox`)."""

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        """A whole answer, or None where the request is of another room. Raises Refusal."""


class App:
    """`respond` is what the HTTP front calls. `rooms` need a key; `controls`, below /_sandbox/, do not."""

    def __init__(
        self,
        config: SandboxConfig,
        log: ArrivalLog,
        sends: Sends,
        rooms: Sequence[Room],
        control: Control,
        controls: Sequence[Room] = (),
    ) -> None:
        self._log = log
        self._sends = sends
        self._rooms = rooms
        self._control = control
        self._controls = (control, *controls)
        self._skew_s = config.clock_skew_s
        self._bearers = frozenset(f"Bearer {key}".encode() for key in config.api_keys)
        limited = config.requests_per_window > 0
        self._limit = RequestLimit(config.requests_per_window, config.request_window_s) if limited else None

    def respond(self, request: Request) -> bytes | Reply:
        endpoint = ENDPOINTS.get(request.line)
        if endpoint is not None:
            return self._send(request, endpoint)
        try:
            return self._dated(self._other(request))
        except Refusal as refusal:
            return self._dated(refusal.raw())

    def unreadable(self, status: int) -> None:
        """Something that was no request, or one that is refused for its size or its framing."""
        self._control.unreadable += 1

    def _dated(self, answer: bytes) -> bytes:
        """With the time of day, which only what is not sent ten thousand times a second tells."""
        line, _, rest = answer.partition(b"\r\n")
        return b"%b\r\ndate: %b\r\n%b" % (line, formatdate(time.time() + self._skew_s, usegmt=True).encode(), rest)

    def _send(self, request: Request, endpoint: Endpoint) -> bytes | Reply:
        entry = Entry(time.monotonic_ns() // 1000, time.time_ns() // 1000)
        self._log.add(entry)
        headers = b""
        try:
            if request.header(_AUTHORIZATION) not in self._bearers:
                self._authorise(request)
            if self._limit is not None:
                passes, headers = self._limit.enter(entry.at_us)
                if not passes:
                    raise Refusal("10011")
            return self._sends.post(request, entry, headers, endpoint)
        except Refusal as refusal:
            entry.status, entry.code = refusal.status, refusal.code
            return refusal.raw(headers)

    def _authorise(self, request: Request) -> None:
        given = request.header(_AUTHORIZATION)
        if given not in self._bearers and b"Bearer" + given[6:] not in self._bearers:
            raise Refusal("10009")

    def _other(self, request: Request) -> bytes:
        method, _, target = request.line.partition(b" ")
        path, _, tail = target.decode("latin-1").partition("?")
        steps = [unquote(step) for step in path.strip("/").split("/")]
        query = dict(parse_qsl(tail, keep_blank_values=True))
        if steps[0] == _CONTROL:
            return _first_answer(self._controls, method, steps[1:], query, request.body)
        self._authorise(request)
        if steps[0] != "v2":
            raise Refusal("10005")
        return _first_answer(self._rooms, method, steps[1:], query, request.body)


def _first_answer(rooms: Sequence[Room], method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes:
    for room in rooms:
        answer = room.answer(method, steps, query, body)
        if answer is not None:
            return answer
    raise Refusal("10005")
