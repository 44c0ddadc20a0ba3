"""/_sandbox/numbers/{number}: what Telnyx, a registry or the carriers would do to a number, on command."""

import time

import orjson
from pydantic import ValidationError

from volley.sandbox.number_spec import NumberChange
from volley.sandbox.numbers import Numbers
from volley.sandbox.paging import Query, Row
from volley.sandbox.pool import SandboxNumber
from volley.sandbox.replies import Refusal, ok
from volley.sandbox.rows import number_row


class NumberControl:
    """A control of App (app.py): GET shows a number, PUT with a NumberChange changes what is named in it."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case ((b"GET" | b"PUT"), ["numbers", name]):
                number = self._numbers.by_number.get(name)
                if number is None or number.type == "alphanumeric":
                    raise Refusal("10005")
                if method == b"PUT":
                    self._change(number, _parse(body))
                return ok(orjson.dumps({"data": _row(number)}))
        return None

    def _change(self, number: SandboxNumber, change: NumberChange) -> None:
        number.change(change, time.time_ns() // 1000)
        request = number.verification
        for each in self._numbers.all:
            if each is number or (request is not None and each.verification is request):
                self._numbers.refresh(each)


def _parse(body: bytes) -> NumberChange:
    try:
        return NumberChange.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        pointer = "".join(f"/{step}" for step in first["loc"])
        raise Refusal("10015", f"{pointer}: {first['msg']}", pointer=pointer) from None


def _row(number: SandboxNumber) -> Row:
    registration = number.verification.status if number.verification else None
    if number.type == "long_code":
        registration = number.campaign.status if number.campaign else None  # type: ignore[assignment]
    return number_row(number) | {
        "registration": registration,
        "provisioning": number.provisioning,
        "refused_with": number.flaw,
    }
