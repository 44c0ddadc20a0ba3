"""Toll-free verification: /messaging_tollfree/verification/requests. Its objects stand alone, its lists have a shape of their own.

A request that was rejected is gone once its numbers are in a new one. What becomes of a request is up to PUT
/_sandbox/numbers/{number}.
"""

import time
import uuid

import orjson

from volley.sandbox.bodies import read
from volley.sandbox.changes import Changes
from volley.sandbox.moments import read_moment
from volley.sandbox.number_spec import Verification, VerificationStatus
from volley.sandbox.paging import Query, Row, record_page
from volley.sandbox.pool import SandboxNumber
from volley.sandbox.replies import Refusal, ok
from volley.sandbox.rows import egress_row, verification_row, when
from volley.sandbox.toll_free_body import VerificationBody

_BEGIN = ["messaging_tollfree", "verification", "requests"]


class TollFreeRoom:
    """A room of App (app.py)."""

    def __init__(self, changes: Changes) -> None:
        self._numbers = changes.numbers

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        if steps[:3] != _BEGIN:
            return None
        match method, steps[3:]:
            case b"GET", []:
                found = [each for each in self._requests().values() if _wanted(each, query)]
                return record_page(found, verification_row, query, names=("page", "page_size"))
            case b"POST", []:
                return ok(orjson.dumps(egress_row(self._create(read(VerificationBody, body)))))
            case ((b"GET" | b"PATCH" | b"DELETE"), [request_id]):
                return self._single(method, self._request(request_id), body)
            case b"GET", [request_id, "status_history"]:
                history = self._request(request_id).history[::-1]
                return record_page(history, _history_row, query, names=("page[number]", "page[size]"))
        return None

    def _single(self, method: bytes, request: Verification, body: bytes) -> bytes:
        if method == b"PATCH":
            self._change(request, read(VerificationBody, body))
            return ok(orjson.dumps(egress_row(request)))
        if method == b"DELETE":
            if request.status != "Rejected":
                raise Refusal("10015", "Only a rejected request can be deleted.")
            self._leave(request)
            return ok(b"")
        return ok(orjson.dumps(verification_row(request)))

    def _requests(self) -> dict[str, Verification]:
        return {each.verification.id: each.verification for each in self._numbers.all if each.verification is not None}

    def _request(self, request_id: str) -> Verification:
        """Raises Refusal 10005."""
        request = self._requests().get(request_id)
        if request is None:
            raise Refusal("10005")
        return request

    def _create(self, asked: VerificationBody) -> Verification:
        """Raises Refusal 10012 for a number whose request is not rejected."""
        numbers = self._toll_free(asked)
        for place, each in enumerate(numbers):
            if each.verification is not None and each.verification.status != "Rejected":
                raise Refusal(
                    "10012", "The number has a request already.", pointer=f"/phoneNumbers/{place}/phoneNumber"
                )
        now_us = time.time_ns() // 1000
        request = Verification(str(uuid.uuid4()), _body(asked), "In Progress", "", now_us, now_us)
        self._join(request, numbers)
        return request

    def _change(self, request: Verification, asked: VerificationBody) -> None:
        """What is rejected, or waits for the customer, goes its way again."""
        numbers = self._toll_free(asked)
        self._leave(request)
        request.body = _body(asked)
        request.updated_us = time.time_ns() // 1000
        if request.status in ("Rejected", "Waiting For Customer"):
            request.move("In Progress", "", request.updated_us)
        self._join(request, numbers)

    def _toll_free(self, asked: VerificationBody) -> list[SandboxNumber]:
        """Raises Refusal 10005 for what is no toll-free number of ours."""
        found = []
        for place, phone in enumerate(asked.phoneNumbers):
            number = self._numbers.by_number.get(phone.phoneNumber)
            if number is None or number.type != "toll_free":
                detail = "This is no toll-free number of your account."
                raise Refusal("10005", detail, pointer=f"/phoneNumbers/{place}/phoneNumber")
            found.append(number)
        return found

    def _join(self, request: Verification, numbers: list[SandboxNumber]) -> None:
        for each in numbers:
            each.verification = request
            self._numbers.refresh(each)

    def _leave(self, request: Verification) -> None:
        for each in self._numbers.all:
            if each.verification is request:
                each.verification = None
                self._numbers.refresh(each)


def _body(asked: VerificationBody) -> dict[str, object]:
    return asked.model_dump(mode="json", exclude_none=True)


def _wanted(request: Verification, query: Query) -> bool:
    since, until = (_moment(query, name) for name in ("date_start", "date_end"))
    phone = query.get("phone_number", "").replace(" ", "+")
    return (
        query.get("status", request.status) == request.status
        and (not phone or phone in request.numbers)
        and query.get("business_name", request.body["businessName"]) == request.body["businessName"]
        and (since is None or request.created_us >= since)
        and (until is None or request.created_us <= until)
    )


def _moment(query: Query, name: str) -> int | None:
    return read_moment(query[name], parameter=name) if name in query else None


def _history_row(entry: tuple[VerificationStatus, str, int]) -> Row:
    """VerificationStatusHistoryEntry."""
    status, reason, wall_us = entry
    return {"verificationStatus": status, "reason": reason or None, "updatedAt": when(wall_us)}
