"""What long-running processes say on stderr, an event a line: JSON, or readable. Never a number, a text or a secret.

Whoever logs names no number and no text. This room is the last line of defence: of an exception it tells where it happened and of
which type it is, not what it says (unless it is of a kind whose words are known to be free of data), and what looks like a number, a
key or a password is masked wherever in an event it stands.
"""

import copy
import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import structlog
from redis.exceptions import RedisError
from structlog.typing import EventDict, Processor

from volley.errors import RowError, VolleyError
from volley.settings import Settings

Mask = Callable[[str], str]

_OURS = ("volley", "producer", "worker")
"""The others, libraries, speak from WARNING on: below it they tell of jobs, addresses and parameters."""
_EXTRA = ("campaign", "flight", "method", "route", "status", "ms")
"""What an event may carry beside its words (`extra=`)."""
_FIRST = ("timestamp", "level", "logger", "event", "role", "account")

_SPOKEN_OF = (VolleyError, OSError, RedisError)
"""Exceptions whose first line names causes and addresses. Those of RowError, and of any other type, may quote what they met."""

_LEAST_SECRET = 6
"""Letters. A shorter secret would be found in every word."""

_PATTERNS = (
    # E.164: up to 15 digits behind a plus, also as people write them, and as an address encodes the plus
    (re.compile(r"(?:\+|%2[Bb])\d(?:[ ().-]{0,2}\d){6,}"), "[number]"),
    # without the plus: 11 to 15 digits that are no part of a word, a decimal, a UUID or a stream's id (milliseconds, -n);
    # microseconds have 16 digits, seconds 10, ids of campaigns 16 letters and digits
    (
        re.compile(
            r"(?:(?<![0-9A-Za-z_.])|(?<=\\[nrt]))(?<![0-9a-f]{4}-)(?!(?:1[6-9]|20)\d{11}-\d)"
            r"[1-9]\d{10,14}(?![0-9A-Za-z_])(?!\.\d)"
        ),
        "[number]",
    ),
    (re.compile(r"\bKEY[A-Za-z0-9_-]{8,}"), "[key]"),
    (re.compile(r"\bvk_(?:live|test)_[A-Za-z0-9_-]+"), "[key]"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"), "[secret]"),
    (re.compile(r"\b(?:Bearer|bearer)\s+[^\s\"',]+"), "[authorization]"),
    (re.compile(r"(://[^\s/:@]*):[^\s/@]+@"), r"\1:[password]@"),
)


def start_logging(role: str, settings: Settings) -> None:
    """All that is logged in this process from now on, and what nobody catches, goes to stderr. `role`: serve or worker."""
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    stderr = _Stderr(sys.stderr)
    mask = masking(_secrets(settings))
    bound = {"role": role, "account": settings.account}
    stderr.setFormatter(_Formatter(_processors(settings.log_format, sys.stderr, mask, bound)))
    level = settings.log_level.upper()
    logging.basicConfig(level=max(logging.WARNING, getattr(logging, level)), handlers=[stderr], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def masking(secrets: tuple[str, ...] = ()) -> Mask:
    """A function that takes out of a text what looks like a number, a key or a password, and these `secrets`."""
    known = sorted({secret for secret in secrets if len(secret) >= _LEAST_SECRET}, key=len, reverse=True)

    def mask(text: str) -> str:
        for secret in known:
            text = text.replace(secret, "[secret]")
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    return mask


class _Stderr(logging.StreamHandler[TextIO]):
    """What cannot be made into a line is not printed raw, as the standard library would, arguments and all."""

    def handleError(self, record: logging.LogRecord) -> None:
        line = {"level": "error", "logger": record.name, "event": f"line {record.lineno} there could not be logged"}
        self.stream.write(json.dumps(line) + "\n")


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """The standard library's records through structlog's processors."""

    def __init__(self, processors: list[Processor]) -> None:
        super().__init__(processors=processors, foreign_pre_chain=None)

    def format(self, record: logging.LogRecord) -> str:
        cleaned = copy.copy(record)
        if isinstance(record.args, tuple):
            cleaned.args = tuple(words(each) if isinstance(each, BaseException) else each for each in record.args)
        if record.name == "asyncio":  # below its first line it shows tasks and calls with what they were given
            cleaned.msg, cleaned.args = cleaned.getMessage().partition("\n")[0], ()
        return super().format(cleaned)


def _processors(given: str | None, stream: TextIO, mask: Mask, bound: Mapping[str, str]) -> list[Processor]:
    terminal = stream.isatty()
    as_text = given == "text" or (given is None and terminal)

    def bind(_logger: Any, _name: str, event: EventDict) -> EventDict:
        return {**bound, **event}  # in every thread, which context variables would not reach

    def mask_all(_logger: Any, _name: str, event: EventDict) -> EventDict:
        return {key: _masked(value, mask) for key, value in event.items()}

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(_EXTRA),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        bind,
        _tell_exception,
        mask_all,
        _text(terminal) if as_text else _json,
    ]


def _json(_logger: Any, _name: str, event: EventDict) -> str:
    """ASCII on one line: whatever reads lines or UTF-8 reads it."""
    first = {key: event.pop(key) for key in _FIRST if key in event}
    return json.dumps({**first, **event}, default=str)


def _text(terminal: bool) -> Processor:
    colors = terminal and "NO_COLOR" not in os.environ
    return structlog.dev.ConsoleRenderer(
        colors=colors, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )


def _masked(value: object, mask: Mask) -> object:
    match value:
        case bool() | float() | None:
            return value
        case int():
            said = str(value)
            return value if mask(said) == said else mask(said)
        case Mapping():
            return {mask(str(key)): _masked(each, mask) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(each, mask) for each in value]
        case _:
            return mask(str(value))


def _tell_exception(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """`exception`: where it happened and what kind it is."""
    told = event.pop("exc_info", None)
    error = told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(_story(error, set()))
    return event


def _story(error: BaseException, seen: set[int]) -> Iterator[str]:
    """Frames and types, the first cause first; no values."""
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _story(before, seen)
        yield "and then:"
    yield from (line.rstrip() for line in traceback.format_tb(error.__traceback__))
    yield words(error)
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            if id(each) not in seen:
                yield from _story(each, seen)


def words(error: BaseException) -> str:
    """What may be told of an exception in a line: its type, and what it says where that holds nothing of a message."""
    kind, said = type(error), str(error).partition("\n")[0]
    of_sql = kind.__module__.partition(".")[0] == "sqlalchemy"  # the statement and what it was given come below
    trusted = of_sql or (isinstance(error, _SPOKEN_OF) and not isinstance(error, RowError))
    if isinstance(error, VolleyError) and said:
        return said
    return f"{kind.__name__}: {said}" if trusted and said else kind.__name__


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("volley").critical("ended by what nobody caught", exc_info=(kind, error, trace))


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None:
        _uncaught(given.exc_type, given.exc_value, given.exc_traceback)


def _secrets(settings: Settings) -> tuple[str, ...]:
    """Every secret of the settings, so that it is found whatever it looks like."""
    accounts = [settings.current, *settings.accounts.values()]
    hidden = [settings.secret, settings.telnyx_api_key, *(account.api_key for account in accounts)]
    urls = [settings.redis_url, settings.arq_redis_url, settings.ledger_url, *(each.redis_url for each in accounts)]
    passwords = [urlsplit(url).password for url in urls if url]
    told = [each.get_secret_value() for each in hidden if each] + [each for each in passwords if each]
    return tuple(part for secret in told for part in (secret, unquote(secret), *secret.split(",")))
