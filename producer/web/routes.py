"""The route table's nouns. One row is an operation: its row makes the routing, the checks and the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from producer.access.keys import ApiKey, Scope
from producer.web.desk import Desk
from producer.web.problems import Kind

Model = TypeVar("Model", bound=BaseModel)
Media = str
JSON = "application/json"
LARGEST = 1 << 20
"""Bytes of a JSON body, where its row says nothing else."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may be answered: who asks is known and may, and what was sent has the shape that its row wants.

    `admitted`: whether that is still so, for answers that last.
    """

    desk: Desk
    who: ApiKey
    request: web.Request
    asked: BaseModel
    sent: BaseModel | None = None
    admitted: Callable[[], bool] = lambda: True

    def query(self, model: type[Model]) -> Model:
        """The query, as the row's `query` model."""
        assert isinstance(self.asked, model)
        return self.asked

    def body(self, model: type[Model]) -> Model:
        """The JSON body, as the row's `body` model."""
        assert isinstance(self.sent, model)
        return self.sent

    def part(self, name: str) -> str:
        """The part of the path that the row writes as `{name}`."""
        return self.request.match_info[name]


class Nothing(BaseModel):
    """The query of operations that have none."""

    model_config = ConfigDict(extra="forbid")


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    `path` with its `{parts}`; `scope` is what a key needs. `answers`: status → model of a JSON answer, or the media types of
    another one. `body` is read and checked; `bodies` are media types that the handler reads itself from `call.request`.
    `keyed`: whether the operation takes an Idempotency-Key. `problems`: those beside what every operation may answer.
    """

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    operation: str
    summary: str
    tag: str
    scope: Scope
    handler: Handler
    answers: Mapping[int, type[BaseModel] | tuple[Media, ...]]
    query: type[BaseModel] = Nothing
    body: type[BaseModel] | None = None
    bodies: Mapping[Media, type[BaseModel] | None] | None = None
    keyed: Literal["", "optional", "required"] = ""
    problems: tuple[Kind, ...] = ()
    largest: int = LARGEST
    description: str = ""


def answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer that nobody may keep."""
    own = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(
        body=orjson.dumps(document), status=status, content_type=JSON, headers=own | dict(headers or {})
    )
