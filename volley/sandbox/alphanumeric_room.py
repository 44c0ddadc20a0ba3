"""/alphanumeric_sender_ids. What is wrong with a request is a 422 here, as the reference has it."""

import re
import time
from http import HTTPStatus

from volley.sandbox.bodies import Body, read
from volley.sandbox.changes import Changes
from volley.sandbox.paging import Query, one, page
from volley.sandbox.pool import SandboxNumber
from volley.sandbox.replies import Refusal, http_reply
from volley.sandbox.rows import alphanumeric_row
from volley.sandbox.short_code_room import of_profile

_VALID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}").fullmatch


class _Creation(Body):
    """CreateAlphanumericSenderIdRequest."""

    alphanumeric_sender_id: str
    messaging_profile_id: str
    us_long_code_fallback: str = ""


class AlphanumericRoom:
    """A room of App (app.py)."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._numbers = changes.numbers

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        if steps[0] != "alphanumeric_sender_ids":
            return None
        try:
            return self._answer(method, steps[1:], query, body)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND and not refusal.pointer:
                raise
            return http_reply(HTTPStatus.UNPROCESSABLE_ENTITY, refusal.body())

    def _answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", []:
                found = [each for each in self._numbers.alphanumeric.values() if of_profile(each, query)]
                return page(found, alphanumeric_row, query)
            case b"POST", []:
                return one(alphanumeric_row(self._create(read(_Creation, body))), status=201)
            case ((b"GET" | b"DELETE"), [number_id]):
                number = self._numbers.by_id.get(number_id)
                if number is None or number.type != "alphanumeric":
                    raise Refusal("10005")
                row = alphanumeric_row(number)
                if method == b"DELETE":
                    self._changes.remove_alphanumeric(number)
                return one(row)
        return None

    def _create(self, asked: _Creation) -> SandboxNumber:
        """Raises Refusal."""
        name, fallback = asked.alphanumeric_sender_id, asked.us_long_code_fallback
        if not _VALID(name):
            raise Refusal("40325", pointer="/alphanumeric_sender_id")
        profile = self._changes.profile(asked.messaging_profile_id, pointer="/messaging_profile_id")
        behind = self._numbers.phone(fallback) if fallback else None
        if fallback and (behind is None or behind.number != fallback or behind.type != "long_code"):
            raise Refusal(
                "10015", "The fallback must be a long code of this account.", pointer="/us_long_code_fallback"
            )
        return self._changes.add_alphanumeric(name, profile, fallback, time.time_ns() // 1000)
