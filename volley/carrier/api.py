"""Talks to Telnyx's API about everything but sending messages: JSON in and out, pages, tries, and errors that say what to do.

A GET, PATCH, PUT or DELETE may be repeated. A POST that may have gone out never is.
"""

import re
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TypeVar

import orjson
from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TraceConfig,
    TraceRequestHeadersSentParams,
)
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from volley.carrier.payload import NO_ERROR, errors, word
from volley.carrier.telnyx import base, session_headers
from volley.errors import TryAgainLater, UnusableInput

PAGE = 250
"""Rows a page: the most that Telnyx gives, detail records apart (50)."""

_ATTEMPTS = 4
_ID = re.compile(r"[A-Za-z0-9_+-]{1,64}")
_LONGEST_WAIT_S = 10.0
_PERHAPS = "whether the carrier has done it is not known: look before you repeat it"
_Row = TypeVar("_Row", bound=BaseModel)


class Missing(UnusableInput):
    """404: there is no such thing in this account."""


class CarrierRefused(UnusableInput):
    """An error that Telnyx itself answered; `code` is the first of its `errors[]`."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class _Busy(TryAgainLater):
    """Worth another try after `wait_s`, if the carrier named a time."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TelnyxApi:
    """Holds a session; build it inside a running loop. `first_wait_s` doubles with each of four tries.

    `path` is relative, as in `messaging_profiles/ID`; put ids through `segment`. Every method raises Missing (404),
    CarrierRefused, UnusableInput (key refused, not Telnyx's API) or TryAgainLater (network away, 5xx or 429 to the end).
    """

    def __init__(self, api_key: str, base_url: str, *, timeout_s: float = 20.0, first_wait_s: float = 0.5) -> None:
        self._base = base(base_url)
        self._first_wait_s = first_wait_s
        trace = TraceConfig()
        trace.on_request_headers_sent.append(_leaves)
        self._session = ClientSession(
            headers=session_headers(api_key),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=timeout_s),
            trace_configs=[trace],
        )

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return await self._ask("GET", path, query)

    async def post(
        self, path: str, body: Mapping[str, Any], *, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Repeated on 429 and where no connection came about. After anything else TryAgainLater says: look first."""
        return await self._ask("POST", path, query, body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask("PATCH", path, None, body)

    async def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask("PUT", path, None, body)

    async def delete(self, path: str) -> dict[str, Any]:
        """{} where the answer is empty, and where a try whose answer was lost had deleted it."""
        return await self._ask("DELETE", path)

    async def rows(
        self, path: str, query: Mapping[str, str], model: type[_Row], *, page: int = PAGE
    ) -> AsyncIterator[_Row]:
        """Every row of a list, one page in memory at a time."""
        number, pages = 1, 1
        while number <= pages:
            document = await self.get(path, {**query, "page[number]": str(number), "page[size]": str(page)})
            rows = document.get("data")
            if not isinstance(rows, list) or not rows:
                return
            for row in rows:
                yield read(model, row)
            pages = _pages(document.get("meta"), number, full=len(rows) >= page)
            number += 1

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        sent: list[str] = []
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS), wait=self._wait, retry=retry_if_exception_type(_Busy), reraise=True
        ):
            with attempt:
                try:
                    return await self._once(method, path, query, body, sent)
                except Missing:
                    if method == "DELETE" and len(sent) > 1:
                        return {}
                    raise
        raise AssertionError("tenacity ends with an answer or an exception")

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        sent: list[str],
    ) -> dict[str, Any]:
        """`sent` grows by one whenever a request goes onto the wire; aiohttp itself repeats a GET, PUT or DELETE too."""
        data = None if body is None else orjson.dumps(body)
        url, before = self._base.joinpath(path), len(sent)
        try:
            async with self._session.request(
                method, url, params=query, data=data, allow_redirects=False, trace_request_ctx=sent
            ) as answer:
                return _document(method, answer.status, answer.headers.get("retry-after", ""), await answer.read())
        except (ClientError, OSError) as error:
            if method == "POST" and len(sent) > before:
                raise TryAgainLater(f"no answer ({type(error).__name__}); {_PERHAPS}") from None
            raise _Busy(f"the carrier cannot be reached ({type(error).__name__}): see TELNYX_BASE_URL") from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.wait_s if isinstance(error, _Busy) else None
        return min(
            asked if asked is not None else self._first_wait_s * 2 ** (state.attempt_number - 1), _LONGEST_WAIT_S
        )


def segment(value: str) -> str:
    """An id or +E.164 number as one step of a path. Raises Missing for what can be none."""
    if not _ID.fullmatch(value):
        raise Missing("not an id")
    return value


def read(model: type[_Row], row: Any) -> _Row:
    """One object of an answer. Raises UnusableInput that names the field, never its value."""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        where = ".".join(str(step) for step in error.errors(include_input=False)[0]["loc"])
        raise UnusableInput(
            f"the carrier's {model.__name__.lower()} has an unexpected {where or 'shape'}: update Volley"
        ) from None


async def _leaves(_: ClientSession, context: SimpleNamespace, sent: TraceRequestHeadersSentParams) -> None:
    """aiohttp calls this right before the first byte of a request is written."""
    context.trace_request_ctx.append(sent.method)


def _pages(meta: Any, number: int, *, full: bool) -> int:
    """How many pages there are; a list that does not say ends with a page that is not full."""
    total = meta.get("total_pages") if isinstance(meta, dict) else None
    if isinstance(total, int):
        return total
    return number + 1 if full else number


def _document(method: str, status: int, retry_after: str, raw: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = None
    if 200 <= status < 300 and isinstance(document, dict):
        return document
    if 200 <= status < 300 and method != "GET" and not raw.strip():
        return {}
    raise _failure(method, status, retry_after, document)


def _failure(method: str, status: int, retry_after: str, document: Any) -> Exception:
    error = next(iter(errors(document)), NO_ERROR)
    said = " ".join(f"HTTP {status} {error.code} {error.title} {_pointer(document)}".split())
    if status == 401:
        return UnusableInput("the API key was refused: set TELNYX_API_KEY")
    if status == 429:
        return _Busy(f"the carrier is busy ({said})", float(retry_after) if retry_after.isdecimal() else None)
    if status == 408 or status >= 500:
        down = f"the carrier is busy or down ({said})"
        return TryAgainLater(f"{down}; {_PERHAPS}") if method == "POST" else _Busy(down)
    if status == 404 and error.code:
        return Missing(f"the carrier knows no such thing ({said})")
    if error.code:
        return CarrierRefused(f"the carrier refused: {said}", status, error.code)
    return UnusableInput(f"this is not Telnyx's API (HTTP {status}): set TELNYX_BASE_URL")


def _pointer(document: Any) -> str:
    """Which field the first error is about; `detail` is left out, as it quotes what was sent."""
    found = document.get("errors") if isinstance(document, dict) else None
    first = found[0] if isinstance(found, list) and found else None
    source = first.get("source") if isinstance(first, dict) else None
    if not isinstance(source, dict):
        return ""
    where = word(source.get("pointer"), 80) or word(source.get("parameter"), 80)
    return f"({where})" if where else ""
