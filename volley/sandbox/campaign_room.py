"""10DLC: which long code is in which campaign, at /10dlc/phone_number_campaigns. Its lists have a shape of their own."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import orjson
from pydantic import Field

from volley.sandbox.bodies import Body, read
from volley.sandbox.changes import Changes
from volley.sandbox.number_spec import Assignment
from volley.sandbox.paging import Query, campaign_page
from volley.sandbox.pool import SandboxNumber
from volley.sandbox.replies import Refusal, http_reply, ok
from volley.sandbox.rows import BRAND_ID, TCR_BRAND_ID, campaign_row, telnyx_campaign_id

_SORTS: dict[str, Callable[[tuple[SandboxNumber, Assignment]], object]] = {
    "assignmentStatus": lambda pair: pair[1].status,
    "createdAt": lambda pair: pair[1].created_us,
    "phoneNumber": lambda pair: pair[0].number,
}


class _Assignment(Body):
    """PhoneNumberCampaignCreate."""

    phoneNumber: str = Field(pattern=r"^\+[1-9][0-9]{6,14}$")
    campaignId: str = Field(min_length=1)


class CampaignRoom:
    """A room of App (app.py). `at` (µs of the monotonic clock, call) does something later; a change takes `seconds`."""

    def __init__(self, changes: Changes, at: Callable[[int, Callable[[], None]], None], seconds: float) -> None:
        self._numbers = changes.numbers
        self._at = at
        self._takes_us = int(seconds * 1e6)

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        """Errors of 10DLC have no `meta`."""
        try:
            return self._answer(method, steps, query, body)
        except Refusal as refusal:
            error = {name: part for name, part in orjson.loads(refusal.body())["errors"][0].items() if name != "meta"}
            return http_reply(refusal.status, orjson.dumps({"errors": [error]}))

    def _answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", ["10dlc", "phone_number_campaigns"]:
                return campaign_page(self._wanted(query), lambda pair: campaign_row(*pair), query)
            case b"POST", ["10dlc", "phone_number_campaigns"]:
                asked = read(_Assignment, body)
                return self._assign(self._long_code(asked.phoneNumber, "/phoneNumber"), asked.campaignId, anew=True)
            case ((b"GET" | b"PUT" | b"DELETE"), ["10dlc", "phone_number_campaigns", name]):
                return self._single(method, name, body)
        return None

    def _single(self, method: bytes, name: str, body: bytes) -> bytes:
        number = self._long_code(name)
        if number.campaign is None:
            raise Refusal("10005")
        if method == b"PUT":
            asked = read(_Assignment, body)
            if asked.phoneNumber != name:
                raise Refusal("10015", "The number is not the one of the path.", pointer="/phoneNumber")
            return self._assign(number, asked.campaignId, anew=False)
        if method == b"DELETE":
            leaving = replace(number.campaign, status="PENDING_UNASSIGNMENT", updated_us=_now_us())
            self._set(number, leaving)
            self._then(number, leaving, None)
            return _whole(number, leaving)
        return _whole(number, number.campaign)

    def _long_code(self, name: str, pointer: str = "") -> SandboxNumber:
        """Raises Refusal 10005 for a number of somebody else, 10015 where it needs no campaign."""
        number = self._numbers.by_number.get(name)
        if number is None:
            raise Refusal("10005", pointer=pointer)
        if number.type != "long_code" or number.country != "US":
            raise Refusal("10015", "Only US long codes are assigned to campaigns.", pointer=pointer)
        return number

    def _assign(self, number: SandboxNumber, campaign_id: str, *, anew: bool) -> bytes:
        """Raises Refusal 10012 where the number is in a campaign and `anew` is asked for."""
        old, now_us = number.campaign, _now_us()
        if anew and old is not None and old.status != "FAILED_ASSIGNMENT":
            raise Refusal("10012", "The number is assigned to a campaign already.", pointer="/phoneNumber")
        coming = Assignment(campaign_id, "PENDING_ASSIGNMENT", "", old.created_us if old else now_us, now_us)
        self._set(number, coming)
        self._then(number, coming, replace(coming, status="ASSIGNED"))
        return _whole(number, number.campaign or coming)

    def _then(self, number: SandboxNumber, pending: Assignment, after: Assignment | None) -> None:
        """What is pending comes to its end, now or later, unless something else has happened by then."""
        if self._takes_us:
            self._at(time.monotonic_ns() // 1000 + self._takes_us, partial(self._end, number, pending, after))
        else:
            self._end(number, pending, after)

    def _end(self, number: SandboxNumber, pending: Assignment, after: Assignment | None) -> None:
        if number.campaign is pending:
            self._set(number, after)

    def _set(self, number: SandboxNumber, assignment: Assignment | None) -> None:
        number.campaign = assignment
        self._numbers.refresh(number)

    def _wanted(self, query: Query) -> list[tuple[SandboxNumber, Assignment]]:
        """Raises Refusal 10032 for an order that there is not."""
        order = query.get("sort", "-createdAt")
        key = _SORTS.get(order.removeprefix("-"))
        if key is None:
            raise Refusal("10032", f"sort must be one of {', '.join(_SORTS)}, or that after a -.", parameter="sort")
        numbers = self._numbers.all if _of_our_brand(query) else []
        found = [(each, each.campaign) for each in numbers if each.campaign is not None and _in(each.campaign, query)]
        return sorted(found, key=key, reverse=order.startswith("-"))  # type: ignore[arg-type]


def _of_our_brand(query: Query) -> bool:
    ours = {"filter[telnyx_brand_id]": BRAND_ID, "filter[tcr_brand_id]": TCR_BRAND_ID}
    return all(query.get(name, own) == own for name, own in ours.items())


def _in(assignment: Assignment, query: Query) -> bool:
    own = assignment.campaign_id
    wanted = query.get("filter[telnyx_campaign_id]")
    return query.get("filter[tcr_campaign_id]", own) == own and (wanted is None or wanted == telnyx_campaign_id(own))


def _whole(number: SandboxNumber, assignment: Assignment) -> bytes:
    return ok(orjson.dumps(campaign_row(number, assignment)))


def _now_us() -> int:
    return time.time_ns() // 1000
