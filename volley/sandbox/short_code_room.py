"""/short_codes."""

import time

from volley.sandbox.bodies import Body, read
from volley.sandbox.changes import Changes
from volley.sandbox.paging import Query, one, page
from volley.sandbox.pool import SandboxNumber
from volley.sandbox.replies import Refusal
from volley.sandbox.rows import short_code_row


class _Update(Body):
    """UpdateShortCodeRequest; "" unassigns."""

    messaging_profile_id: str
    tags: tuple[str, ...] = ()


class ShortCodeRoom:
    """A room of App (app.py). {id} may be the short code itself."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._numbers = changes.numbers

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", ["short_codes"]:
                found = [each for each in self._numbers.all if each.type == "short_code" and each.capable]
                return page([each for each in found if of_profile(each, query)], short_code_row, query)
            case ((b"GET" | b"PATCH"), ["short_codes", code_id]):
                code = self._numbers.by_id.get(code_id) or self._numbers.by_number.get(code_id)
                if code is None or code.type != "short_code":
                    raise Refusal("10005")
                if method == b"PATCH":
                    self._change(code, read(_Update, body))
                return one(short_code_row(code))
        return None

    def _change(self, code: SandboxNumber, update: _Update) -> None:
        wanted, now_us = update.messaging_profile_id, time.time_ns() // 1000
        profile = self._changes.profile(wanted, pointer="/messaging_profile_id") if wanted else None
        self._changes.assign([code], profile, now_us)
        code.tags = update.tags if "tags" in update.given else code.tags
        code.updated_us = now_us
        self._numbers.refresh(code)


def of_profile(number: SandboxNumber, query: Query) -> bool:
    """Whether a sender is of the profile that a list is filtered by."""
    wanted = query.get("filter[messaging_profile_id]")
    return wanted is None or wanted == ("null" if number.profile is None else number.profile.spec.id)
