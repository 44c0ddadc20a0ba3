"""Automatic answers of a messaging profile: /messaging_profiles/{profile_id}/autoresp_configs."""

import time
import uuid
from typing import Annotated, Literal

import orjson
from pydantic import BeforeValidator, Field

from volley.sandbox.bodies import Body, read
from volley.sandbox.changes import Changes
from volley.sandbox.moments import moment
from volley.sandbox.paging import Query, Row, one, page
from volley.sandbox.pool import SandboxProfile
from volley.sandbox.replies import Refusal, ok

_MOST_KEYWORDS = 20


class _Answer(Body):
    """AutoRespConfigCreateSchema. Telnyx's guide says `help` where its reference says `info`."""

    op: Annotated[Literal["start", "stop", "info"], BeforeValidator(lambda op: "info" if op == "help" else op)]
    keywords: tuple[str, ...] = Field(max_length=_MOST_KEYWORDS)
    country_code: str = Field(pattern=r"^([A-Z]{2}|\*)$")
    resp_text: str = ""


class AutoresponseRoom:
    """A room of App (app.py)."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match steps:
            case ["messaging_profiles", profile_id, "autoresp_configs"] if method in (b"GET", b"POST"):
                return self._collection(method, self._changes.profile(profile_id), query, body)
            case ["messaging_profiles", profile_id, "autoresp_configs", answer_id]:
                return self._single(method, self._changes.profile(profile_id), answer_id, body)
        return None

    def _collection(self, method: bytes, profile: SandboxProfile, query: Query, body: bytes) -> bytes:
        known = profile.autoresponses
        if method == b"GET":
            return page([each for each in known.values() if _wanted(each, query)], lambda each: each, query)
        made = str(uuid.uuid4())
        now = moment(time.time_ns() // 1000)
        known[made] = {"id": made, "created_at": now} | _fields(read(_Answer, body), now)
        return one(known[made])

    def _single(self, method: bytes, profile: SandboxProfile, answer_id: str, body: bytes) -> bytes | None:
        known = profile.autoresponses
        if answer_id not in known:
            raise Refusal("10005")
        match method:
            case b"GET":
                return one(known[answer_id])
            case b"PUT":
                known[answer_id] |= _fields(read(_Answer, body), moment(time.time_ns() // 1000))
                return one(known[answer_id])
            case b"DELETE":
                del known[answer_id]
                return ok(orjson.dumps("The automatic answer was deleted."))
        return None


def _fields(answer: _Answer, now: str) -> Row:
    return answer.model_dump(mode="json") | {"updated_at": now}


def _wanted(row: Row, query: Query) -> bool:
    if query.get("country_code", row["country_code"]) != row["country_code"]:
        return False
    for name in ("created_at", "updated_at"):
        low, high = (query.get(f"{name}[{word}]", "").replace(" ", "+") for word in ("gte", "lte"))
        if (low and str(row[name]) < low) or (high and str(row[name]) > high):
            return False
    return True
