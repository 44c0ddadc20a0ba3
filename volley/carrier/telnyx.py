"""The sending path to Telnyx: one session, one POST a message, and an outcome that depends on what was on the wire.

Refuses to repeat anything: aiohttp repeats idempotent methods only, redirects are off, and retries are the worker's.
The official SDK is not used, as it repeats a POST by itself after timeouts and 5xx.
"""

from time import time
from types import TracebackType
from typing import Self

import orjson
from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
)
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from volley import __version__
from volley.carrier.answers import accepted, refused
from volley.carrier.attempt import Attempt, Lines, LineSpoiled, TooLate
from volley.carrier.endpoint import ENDPOINTS, GENERAL, Endpoint
from volley.carrier.outcome import LATE, Accepted, NotSent, Outcome, PerhapsSent
from volley.errors import UnusableInput

MAX_ANSWER = 256 << 10
"""Bytes of an answer that are read; a real one has some 1,500."""

_OF_THE_WIRE = (ClientError, OSError, HttpProcessingError, TooLate)
"""What a connection can do to us. Everything else is our own mistake and crashes. (TimeoutError is an OSError.)"""


def body(
    to: str, sender: str, text: str, profile: str, *, webhook_url: str | None = None, encoding: str = "auto"
) -> bytes:
    """The bytes of a text's POST to the general endpoint: the same for the same message, as its Idempotency-Key demands.

    `to` is +E.164; `encoding` is auto, gsm7 or ucs2, and left out where it is auto, Telnyx's default.
    """
    fields: dict[str, object] = {"from": sender, "messaging_profile_id": profile}
    if encoding != "auto":
        fields["encoding"] = encoding
    return written(fields, to, text, webhook_url)


def written(fields: dict[str, object], to: str, text: str, webhook_url: str | None, failover_url: str = "") -> bytes:
    """The same from the fields of a Form, to which the person's are added. An MMS may be without text."""
    fields["to"] = to
    if text:
        fields["text"] = text
    if webhook_url is not None:
        fields["webhook_url"] = webhook_url
        if failover_url:
            fields["webhook_failover_url"] = failover_url
    return orjson.dumps(fields)


def session_headers(api_key: str) -> dict[str, str]:
    """What every request carries.

    Raises:
        UnusableInput: a key that cannot stand in a header; it is not repeated in the message.
    """
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise UnusableInput(
            "the API key is empty or holds spaces, line breaks or other odd characters: set TELNYX_API_KEY"
        )
    return {
        "Authorization": f"Bearer {api_key}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        # An answer is 1,500 bytes and the processor is the bottleneck, not the network.
        "Accept-Encoding": "identity",
        "User-Agent": f"volley-sms/{__version__}",
    }


def base(url: str) -> URL:
    """Raises UnusableInput for what is no http(s) address."""
    try:
        parsed = URL(url.rstrip("/"))
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UnusableInput(f"{url[:80]!r} is not an address: set TELNYX_BASE_URL, as in https://api.telnyx.com/v2")
    return parsed


class Carrier:
    """Holds the session. Build it inside a running loop, close it when nothing is in flight.

    `concurrency` bounds the connections; `keepalive_s` is to be shorter than the carrier's, so that a kept line is
    rarely a dead one; `connect_timeout_s` may exceed a grant's patience, as a late line is kept for the next.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        concurrency: int,
        http_timeout_s: float,
        keepalive_s: float = 15.0,
        connect_timeout_s: float = 5.0,
    ) -> None:
        root = base(base_url)
        self._urls = {endpoint: root / endpoint for endpoint in ENDPOINTS}
        self._session = ClientSession(
            connector=Lines(limit=concurrency, keepalive_timeout=keepalive_s, ttl_dns_cache=60),
            headers=session_headers(api_key),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=http_timeout_s, connect=min(connect_timeout_s, http_timeout_s)),
        )

    async def send(
        self, request: bytes, idempotency_key: str, deadline: float, endpoint: Endpoint = GENERAL
    ) -> tuple[Outcome, float]:
        """POST `request` once, unless `time.monotonic()` has reached `deadline` when it would be written.

        Answers the outcome and the `time.monotonic()` at which the bytes left, 0.0 if they did not. Raises nothing
        that a network can cause; a cancelled call leaves the outcome unknown if its bytes had left.
        """
        attempt = Attempt(request, idempotency_key, deadline)
        try:
            answer = await self._session.post(self._urls[endpoint], data=attempt, allow_redirects=False)
        except _OF_THE_WIRE as error:
            return _broken(attempt, error), attempt.sent_at
        if not attempt.sent_at:
            attempt.shut()
            answer.close()
            return NotSent("the line had an answer before the request"), 0.0
        raw = await _read(answer)
        if 200 <= answer.status < 300:
            return accepted(raw), attempt.sent_at
        return refused(answer.status, answer.headers, raw, time()), attempt.sent_at

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _read(answer: ClientResponse) -> bytes:
    """The whole body, or b"" where it is cut, garbled or longer than MAX_ANSWER: the status line has decided by then."""
    content = answer.content
    try:
        raw = await content.readany()
        while not content.at_eof():
            if len(raw) > MAX_ANSWER:
                return b""
            raw += await content.readany()
        return raw
    except _OF_THE_WIRE:
        return b""
    finally:
        if not answer.closed:
            answer.close()


def _broken(attempt: Attempt, error: BaseException) -> Outcome:
    """What an attempt without an answer came to."""
    if not attempt.sent_at:
        attempt.shut()
        return NotSent(_why_not_sent(error))
    if isinstance(error, TimeoutError):
        return PerhapsSent("no answer in time", 0)
    if isinstance(error, ServerDisconnectedError):
        return _cut(error.message)
    return PerhapsSent("the connection broke" if isinstance(error, OSError) else "the answer is not HTTP", 0)


def _cut(message: RawResponseMessage | str | None) -> Outcome:
    """A connection that closed before the headers of the answer were complete.

    One header read in full proves a complete status line; without one the status may itself be cut (20 of 200).
    """
    if not isinstance(message, RawResponseMessage) or not message.raw_headers:
        return PerhapsSent("the connection was closed before an answer", 0)
    if 200 <= message.code < 300:
        return Accepted()
    return PerhapsSent("the answer was cut", message.code)


def _why_not_sent(error: BaseException) -> str:
    match error.__cause__ or error:
        case TooLate():
            return LATE
        case LineSpoiled():
            return "the line was closed"
    match error:
        case TimeoutError():
            return "no connection in time"
        case ClientConnectorDNSError():
            return "the carrier's name was not found"
        case ClientSSLError():
            return "no secure connection"
        case ClientConnectorError():
            return "no connection"
        case _:
            return "the connection broke before the request"
