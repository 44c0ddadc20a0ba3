"""Reads profiles and their numbers from Telnyx. Only GETs, so they may be repeated; nothing here sends or changes."""

import re
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from volley.carrier.edge import AlphanumericId, Number, Profile, ShortCode
from volley.carrier.payload import NO_ERROR, errors
from volley.carrier.telnyx import base, session_headers
from volley.errors import TryAgainLater, UnusableInput
from volley.sender import Sender

PAGE = 250
"""Rows a page: the most that Telnyx gives."""

_ATTEMPTS = 4
_ID = re.compile("[A-Za-z0-9_-]{1,64}")
_LONGEST_WAIT_S = 10.0
_Row = TypeVar("_Row", bound=BaseModel)


class _Missing(UnusableInput):
    """404."""


class _Busy(TryAgainLater):
    """Worth another try after `wait_s`, if the carrier named a time."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TelnyxApi:
    """Holds a session; build it inside a running loop. `first_wait_s` doubles with each of four tries.

    Every method raises UnusableInput (key refused, no such profile, not Telnyx's API) or TryAgainLater (network away,
    5xx or 429 to the end).
    """

    def __init__(self, api_key: str, base_url: str, *, timeout_s: float = 20.0, first_wait_s: float = 0.5) -> None:
        self._base = base(base_url)
        self._first_wait_s = first_wait_s
        self._session = ClientSession(
            headers=session_headers(api_key), cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=timeout_s)
        )

    async def profile(self, profile_id: str) -> Profile:
        try:
            document = await self._get(f"messaging_profiles/{_segment(profile_id)}", {})
        except _Missing:
            raise UnusableInput(
                f"no messaging profile {profile_id[:60]!r} in this account: copy its id from the portal"
            ) from None
        return _read(Profile, document.get("data"))

    async def numbers(self, profile_id: str) -> AsyncIterator[Number]:
        """Long codes, toll-free numbers and whatever else is assigned to the profile. No such profile: nothing."""
        async for row in self._rows("phone_numbers/messaging", profile_id, Number):
            yield row

    async def short_codes(self, profile_id: str) -> AsyncIterator[ShortCode]:
        async for row in self._rows("short_codes", profile_id, ShortCode):
            yield row

    async def alphanumeric_ids(self, profile_id: str) -> AsyncIterator[AlphanumericId]:
        async for row in self._rows("alphanumeric_sender_ids", profile_id, AlphanumericId):
            yield row

    async def senders(self, profile: Profile) -> list[Sender]:
        """All that can send for a profile, each once; rates are still to be set."""
        found: dict[str, Sender] = {}
        for rows in (self.numbers(profile.id), self.short_codes(profile.id), self.alphanumeric_ids(profile.id)):
            async for row in rows:
                sender = row.sender(profile)
                found.setdefault(sender.number, sender)
        return list(found.values())

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _rows(self, path: str, profile_id: str, model: type[_Row]) -> AsyncIterator[_Row]:
        number, pages = 1, 1
        while number <= pages:
            query = {
                "filter[messaging_profile_id]": profile_id,
                "page[number]": str(number),
                "page[size]": str(PAGE),
            }
            document = await self._get(path, query)
            rows, meta = document.get("data"), document.get("meta")
            if not isinstance(rows, list) or not rows:
                return
            for row in rows:
                yield _read(model, row)
            pages = (
                meta["total_pages"] if isinstance(meta, dict) and isinstance(meta.get("total_pages"), int) else number
            )
            number += 1

    async def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS), wait=self._wait, retry=retry_if_exception_type(_Busy), reraise=True
        ):
            with attempt:
                return await self._get_once(path, query)
        raise AssertionError("tenacity ends with an answer or an exception")

    async def _get_once(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        try:
            async with self._session.get(self._base.joinpath(path), params=query, allow_redirects=False) as answer:
                return _document(answer.status, answer.headers.get("retry-after", ""), await answer.read())
        except (ClientError, OSError) as error:
            raise _Busy(f"the carrier cannot be reached ({type(error).__name__}): see TELNYX_BASE_URL") from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.wait_s if isinstance(error, _Busy) else None
        return min(
            asked if asked is not None else self._first_wait_s * 2 ** (state.attempt_number - 1), _LONGEST_WAIT_S
        )


def _segment(profile_id: str) -> str:
    if not _ID.fullmatch(profile_id):
        raise _Missing("not an id")
    return profile_id


def _document(status: int, retry_after: str, raw: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = None
    if 200 <= status < 300 and isinstance(document, dict):
        return document
    error = next(iter(errors(document)), NO_ERROR)
    said = f"HTTP {status} {error.code} {error.title}".strip()
    if status == 401:
        raise UnusableInput("the API key was refused: set TELNYX_API_KEY")
    if status == 429 or status >= 500:
        raise _Busy(f"the carrier is busy or down ({said})", float(retry_after) if retry_after.isdecimal() else None)
    if status == 404 and error.code:
        raise _Missing(f"the carrier knows no such thing ({said})")
    if error.code:
        raise UnusableInput(f"the carrier refused to answer: {said}")
    raise UnusableInput(f"this is not Telnyx's API (HTTP {status}): set TELNYX_BASE_URL")


def _read(model: type[_Row], row: Any) -> _Row:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        where = ".".join(str(step) for step in error.errors(include_input=False)[0]["loc"])
        raise UnusableInput(
            f"the carrier's {model.__name__.lower()} has an unexpected {where or 'shape'}: update Volley"
        ) from None
