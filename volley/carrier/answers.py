"""From a complete status line to an outcome. Pure: status, headers, body and the time go in, a value comes out."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from volley.carrier.codes import Policy, policy
from volley.carrier.outcome import Accepted, Outcome, PerhapsSent, Refused, Throttled
from volley.carrier.payload import NO_ERROR, CarrierError, encoding, errors, money, whole, word

_UNREADABLE = Accepted()
_EPOCH = 1e9
_SHORTEST_S = 0.1
_LONGEST_S = 3600.0
_LONGEST_QUEUE_S = 1e6


def accepted(raw: bytes) -> Accepted:
    """The body of a 2xx. Whatever it holds, the message was taken: what cannot be read stays unknown."""
    try:
        message = orjson.loads(raw)["data"]
    except (ValueError, KeyError, TypeError, IndexError):
        return _UNREADABLE
    if not isinstance(message, dict):
        return _UNREADABLE
    source, wait = message.get("from"), message.get("wait_seconds")
    return Accepted._make(
        (
            word(message.get("id")) or None,
            encoding(message.get("encoding")),
            whole(message.get("parts")),
            *money(message),
            wait if isinstance(wait, float) and 0.0 <= wait <= _LONGEST_QUEUE_S else float(whole(wait)),
            word(source.get("phone_number")) if isinstance(source, dict) else "",
        )
    )


def refused(status: int, headers: Mapping[str, str], raw: bytes, now_s: float) -> Outcome:
    """Any status that is not 2xx. Only a 4xx that is neither 408 nor 409 proves that nothing was taken.

    `now_s`: seconds since 1970, for waits that end at a time of day.
    """
    error = _telling(raw)
    rule = policy(error.code, status)
    text = _text(error, rule)
    if not 400 <= status < 500 or status in (408, 409):
        return PerhapsSent(f"HTTP {status} {error.title}".strip(), status)
    if rule.action == "perhaps" or error.about_key:
        # An answer about the Idempotency-Key is about an earlier POST, which may well have been taken.
        return PerhapsSent(text, status)
    if rule.throttle is not None:
        return Throttled(_wait_s(rule, headers, now_s), rule.throttle, status, error.code, text)
    return Refused(status, error.code, text, own=error.about_media)


def _telling(raw: bytes) -> CarrierError:
    """The first error whose code the table knows, else the first."""
    try:
        found = errors(orjson.loads(raw))
    except ValueError:
        return NO_ERROR
    return next((error for error in found if policy(error.code, 0).known), found[0] if found else NO_ERROR)


def _text(error: CarrierError, rule: Policy) -> str:
    meaning = "its media cannot be used" if error.about_media else rule.meaning
    return f"{error.title}: {meaning}" if error.title else meaning


def _wait_s(rule: Policy, headers: Mapping[str, str], now_s: float) -> float:
    own = rule.stop_s(now_s)
    if rule.throttle != "account":
        return own
    asked = _seconds(headers.get("retry-after"), now_s)
    if asked is None:
        asked = _seconds(headers.get("x-ratelimit-reset"), now_s)
    return own if asked is None else min(max(asked, _SHORTEST_S), _LONGEST_S)


def _seconds(value: Any, now_s: float) -> float | None:
    """Seconds, seconds since 1970 (Telnyx's pages disagree about x-ratelimit-reset), or an HTTP date."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return _until_date(value, now_s)
    if number != number:
        return None
    return number - now_s if number > _EPOCH else number


def _until_date(value: str, now_s: float) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() - now_s
    except ValueError:
        return None
