"""What is checked of every request before its handler sees it, in this order: who, whether they may, how fast, what."""

import time
from collections.abc import Mapping
from typing import Any, get_origin

import orjson
from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from producer.access.keys import ApiKey
from producer.access.pace import Pace
from producer.access.ring import KeyRing
from producer.web.body import Bodies
from producer.web.problems import (
    BAD_REQUEST,
    INVALID,
    MISSING_SCOPE,
    TOO_MANY,
    UNAUTHENTICATED,
    WRONG_TYPE,
    Problem,
    invalid,
    retry_after,
)
from producer.web.routes import JSON, Route

_BEARER = "bearer "


class Doorkeeper:
    """Knows the keys and how fast each may ask."""

    def __init__(self, ring: KeyRing, pace: Pace) -> None:
        self._ring = ring
        self._pace = pace

    async def admit(self, request: web.Request, route: Route) -> ApiKey:
        """Who asks. Raises Problem: 401 unknown, 403 may not, 429 too fast."""
        given = request.headers.getall("Authorization", [])
        token = given[0] if len(given) == 1 else ""
        if token[: len(_BEARER)].lower() != _BEARER:
            raise _unknown("give one: Authorization: Bearer vk_live_… (volley keys create makes it)")
        key = await self._ring.find(token[len(_BEARER) :].strip(), time.time_ns() // 1000)
        if key is None:
            raise _unknown("this key is not known, or it is revoked or expired (volley keys list)")
        if not key.allows(route.scope):
            raise Problem(MISSING_SCOPE, f"{route.operation} needs a key with scope {route.scope}")
        wait_s = self._pace.wait_s(key)
        if wait_s:
            raise Problem(TOO_MANY, f"key {key.id} asks faster than it may", headers=retry_after(wait_s))
        return key

    def still_admits(self, key: ApiKey) -> bool:
        """Whether a key that was let in is neither revoked nor over, as far as is known."""
        return self._ring.holds(key, time.time_ns() // 1000)


def _unknown(detail: str) -> Problem:
    return Problem(UNAUTHENTICATED, detail, headers={"WWW-Authenticate": "Bearer"})


def read_query(model: type[BaseModel], query: MultiMapping[str]) -> BaseModel:
    """Each name once, except those that the model has a list for. Raises Problem."""
    lists = {each.alias or name for name, each in model.model_fields.items() if get_origin(each.annotation) is list}
    fields: dict[str, Any] = {}
    for name in query:
        values = query.getall(name)
        if len(values) > 1 and name not in lists:
            raise Problem(INVALID, f"query.{name[:40]}: give it once")
        fields[name] = values if name in lists else values[0]
    return checked(model, fields, "query")


def checked(model: type[BaseModel], fields: Mapping[str, Any], where: str) -> BaseModel:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error, where) from None


def requires(model: type[BaseModel]) -> bool:
    """Whether anything must be said: a field that has no default, or one of several."""
    try:
        model()
    except ValidationError:
        return True
    return False


async def read_body(model: type[BaseModel], request: web.Request, bodies: Bodies, largest: int) -> BaseModel:
    """A JSON body, which may be left out where nothing of it is required. Raises Problem, or what Bodies raises."""
    if not request.can_read_body and not requires(model):
        return model()
    if request.content_type != JSON:
        raise Problem(WRONG_TYPE, f"send {JSON}")
    body = await bodies.read(request, largest)
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(BAD_REQUEST, f"the body is not JSON: {error.msg}, line {error.lineno}") from None
    if not isinstance(fields, dict):
        raise Problem(INVALID, "body: a JSON object is wanted")
    return checked(model, fields, "body")
