"""What goes wrong, as RFC 9457 tells it: `application/problem+json` with type, title, status, detail and what else helps.

A detail says what to do and never holds a number, a text or a key.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from producer.web.wording import over_http
from volley.errors import KeyTaken, RefusedByPolicy, TryAgainLater, UnusableInput, VolleyError
from volley.ledger.bound import ran_out
from volley.ledger.engine import is_away

CONTENT_TYPE = "application/problem+json"
_RETRY_S = 2
_SLOW_RETRY_S = 15
_MOST_ERRORS = 20
_OWN = "Value error, "
"""What pydantic puts before the words of a validator of ours."""


class Kind(NamedTuple):
    slug: str
    status: int
    title: str


BAD_REQUEST = Kind("bad-request", 400, "The request cannot be read")
UNAUTHENTICATED = Kind("unauthenticated", 401, "No valid API key")
MISSING_SCOPE = Kind("missing-scope", 403, "The API key may not do this")
NOT_FOUND = Kind("not-found", 404, "There is no such thing")
NO_METHOD = Kind("method-not-allowed", 405, "Not with this method")
TOO_SLOW = Kind("too-slow", 408, "The body came too slowly")
CONFLICT = Kind("conflict", 409, "It is not in a state that allows this")
GONE = Kind("gone", 410, "It is not kept any more")
IN_PROGRESS = Kind("in-progress", 409, "The same request is being worked on")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
WRONG_TYPE = Kind("unsupported-type", 415, "Bodies of this type are not read here")
UNEXPECTED = Kind("expectation-failed", 417, "What the request expects is not done here")
INVALID = Kind("invalid", 422, "Values are missing, wrong or out of range")
REFUSED = Kind("refused-by-policy", 422, "A policy refuses it")
KEY_TAKEN = Kind("idempotency-key-taken", 422, "The Idempotency-Key belongs to another request")
NOTHING_TO_SEND = Kind("nothing-to-send", 422, "No row can be sent")
TOO_MANY = Kind("too-many-requests", 429, "More than this key may ask")
FAILED = Kind("failed", 500, "We did something wrong")
AWAY = Kind("try-again-later", 503, "Not at this moment")

KINDS = (
    BAD_REQUEST, UNAUTHENTICATED, MISSING_SCOPE, NOT_FOUND, NO_METHOD, TOO_SLOW, CONFLICT, IN_PROGRESS, GONE, TOO_LARGE,
    WRONG_TYPE, UNEXPECTED, INVALID, REFUSED, KEY_TAKEN, NOTHING_TO_SEND, TOO_MANY, FAILED, AWAY,
)  # fmt: skip
_OF_STATUS = {kind.status: kind for kind in reversed(KINDS)}


class ProblemDetails(BaseModel):
    """RFC 9457. Members beside these are named where the operation is described."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str
    title: str
    status: int
    detail: str


class Problem(Exception):
    """An answer that is a problem. `more` are further members of it."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = over_http(detail)
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def document(self) -> dict[str, Any]:
        kind = self.kind
        fields = {"type": f"/v1/docs#{kind.slug}", "title": kind.title, "status": kind.status, "detail": self.detail}
        return fields | self.more

    def answer(self) -> web.Response:
        return web.Response(
            body=orjson.dumps(self.document()),
            status=self.kind.status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def retry_after(seconds: float) -> dict[str, str]:
    """Whole seconds, one at least."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def invalid(error: ValidationError, where: str) -> Problem:
    """Each value that is wrong, by its place; never the value itself."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    errors = [
        {"where": ".".join([where, *map(str, each["loc"])]), "message": each["msg"].removeprefix(_OWN)}
        for each in found[:_MOST_ERRORS]
    ]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    detail = f"{errors[0]['where']}: {errors[0]['message']}{more}"
    return Problem(INVALID, detail, more={"errors": errors})


def problem_of(error: Exception) -> Problem | None:
    """What an error is to the caller; None for one of our own."""
    match error:
        case Problem():
            return error
        case web.HTTPException():
            return _of_http(error)
        case TryAgainLater() | RedisError():
            detail = str(error) if isinstance(error, VolleyError) else "Redis is away"
            return Problem(AWAY, detail, headers=retry_after(_RETRY_S))
        case KeyTaken():
            return Problem(KEY_TAKEN, str(error))
        case RefusedByPolicy():
            return Problem(REFUSED, str(error))
        case UnusableInput():
            return Problem(INVALID, str(error))
        case SQLAlchemyError() | OSError() if ran_out(error):
            detail = "the ledger took too long over this, and the question was ended: ask for less, or again later"
            return Problem(AWAY, detail, headers=retry_after(_SLOW_RETRY_S))
        case SQLAlchemyError() | OSError() if is_away(error):
            return Problem(AWAY, "the ledger's database does not answer", headers=retry_after(_RETRY_S))
        case _:
            return None


def _of_http(error: web.HTTPException) -> Problem:
    kind = _OF_STATUS.get(error.status, BAD_REQUEST)
    kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
    return Problem(kind, f"{error.reason}: see /v1/docs", headers=kept)
