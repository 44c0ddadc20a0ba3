"""What can go wrong with a call, as one drawn family of exceptions. Each says what to do.

VolleyError
├── Unreachable                no answer, after all tries
├── UnusableRows               what was given cannot be pushed; nothing was sent
├── UnexpectedAnswer           what answered does not speak this API
├── BadCallback                a callback that is not signed by our server
├── StillRunning               (also a TimeoutError) wait_until_done had no more patience
└── ProblemError               the server answered a problem (RFC 9457): `.problem`
    ├── BadRequest 400 · Unauthenticated 401 · MissingScope 403 · NotFound 404 · TooSlow 408
    ├── Conflict 409           ── InProgress: a push with this key is still coming in
    ├── Gone 410 · TooLarge 413 · UnsupportedType 415
    ├── Invalid 422            ── RefusedByPolicy, KeyTaken, NothingToSend
    ├── TooManyRequests 429
    └── ServerFailed 5xx       ── TryAgainLater 503
"""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError


class WrongValue(BaseModel):
    """One of the values that a problem is about, by its place; never the value itself."""

    model_config = ConfigDict(extra="allow", frozen=True)

    where: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `type` ends in the problem's name; `detail` says what is wrong and what to do."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = "about:blank"
    title: str = ""
    status: int
    detail: str = ""
    errors: tuple[WrongValue, ...] = ()

    @property
    def name(self) -> str:
        """As in docs/http-api.md: `not-found`, `in-progress` …"""
        return self.type.rpartition("#")[2]


class VolleyError(Exception):
    """All that this client raises by itself. `idempotency_key` is that of the push it happened to.

    A push that nobody knows the end of is made again with it and the same content: `push(…, idempotency_key=error.idempotency_key)`.
    """

    idempotency_key: str | None = None


class Unreachable(VolleyError):
    """No answer came. `never_sent`: no connection was made, so the server has not seen the request."""

    def __init__(self, message: str, *, never_sent: bool = False) -> None:
        super().__init__(message)
        self.never_sent = never_sent


class UnusableRows(VolleyError, ValueError):
    """Rows or a file that no push can be made of."""


class UnexpectedAnswer(VolleyError):
    """Something that is no Volley answered, or one whose answers this client does not know."""


class BadCallback(VolleyError, ValueError):
    """A callback whose signature, time or content is not right: answer 400, and do nothing of what it says."""


class StillRunning(VolleyError, TimeoutError):
    """The campaign is not done, and goes on."""


class ProblemError(VolleyError):
    """`retry_after_s`: when the server thinks it worth asking again; None where it did not say."""

    name: ClassVar[str] = ""
    status: ClassVar[int] = 0

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem
        self.retry_after_s = retry_after_s


class BadRequest(ProblemError):
    status = 400


class Unauthenticated(ProblemError):
    status = 401


class MissingScope(ProblemError):
    status = 403


class NotFound(ProblemError):
    status = 404


class TooSlow(ProblemError):
    status = 408


class Conflict(ProblemError):
    status = 409


class InProgress(Conflict):
    name = "in-progress"


class Gone(ProblemError):
    status = 410


class TooLarge(ProblemError):
    status = 413


class UnsupportedType(ProblemError):
    status = 415


class Invalid(ProblemError):
    """`problem.errors` names the values."""

    status = 422


class RefusedByPolicy(Invalid):
    name = "refused-by-policy"


class KeyTaken(Invalid):
    """The idempotency key was used for another content."""

    name = "idempotency-key-taken"


class NothingToSend(Invalid):
    """No row could be sent: each was rejected, opted out or there already."""

    name = "nothing-to-send"


class TooManyRequests(ProblemError):
    status = 429


class ServerFailed(ProblemError):
    status = 500


class TryAgainLater(ServerFailed):
    status = 503


def problem_error(status: int, body: bytes, retry_after: str | None) -> VolleyError:
    """The exception of an answer that is none of success."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        if status not in _RETRIED_BY_ANYBODY:
            return UnexpectedAnswer(f"status {status} without a problem: is this the address of volley serve?")
        # a proxy before the server speaks for it, in words of its own
        problem = Problem(title="A proxy answered", status=status, detail="the server behind it did not")
    return _class_of(problem)(problem, _seconds(retry_after))


_RETRIED_BY_ANYBODY = (429, 500, 502, 503, 504)


def _class_of(problem: Problem) -> type[ProblemError]:
    kinds = list(_family(ProblemError))
    named = (kind for kind in kinds if kind.name == problem.name != "")
    alike = (kind for kind in kinds if kind.status == problem.status and not kind.name)
    return next(named, None) or next(alike, ServerFailed if problem.status >= 500 else ProblemError)


def _family(root: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _family(kind)


def _seconds(retry_after: str | None) -> float | None:
    """Whole seconds, as our server gives it; a date (RFC 9110) of somebody between is left out."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
