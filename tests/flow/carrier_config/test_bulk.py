"""Many numbers at once: every number ends as done or failed with a reason, whatever the carrier does to the order."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from producer.pool.mover import Mover
from producer.pool.moves import plan
from producer.pool.named import Named, Names
from tests.flow.carrier_config.conftest import serving_app
from tests.openapi import validate_request
from volley.carrier import bulk_api
from volley.carrier.api import TelnyxApi

PROFILE, OTHER = "16fd2706-8baf-433b-82eb-8c7fada847da", "16fd2706-8baf-433b-82eb-8c7fada847db"
ORDER = "d7f6a3e0-0000-4000-8000-000000000001"


def number(n: int) -> str:
    return f"+1312555{n:04d}"


def names(count: int) -> Names:
    return Names([Named(number(n), "number") for n in range(count)], 0)


class Telnyx:
    """Has numbers, and orders whose answers are bent. `pending`: how often an order is still pending when it is asked for."""

    def __init__(self, count: int = 10) -> None:
        self.places = {number(n): OTHER for n in range(count)}
        self.refuses: set[str] = set()
        self.pending = 0
        self.bent: Callable[[web.Request, dict[str, Any]], Any] = lambda _, answer: answer
        self.orders: list[list[str]] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/phone_numbers/messaging", self.listed)
        app.router.add_post("/v2/messaging_numbers_bulk_updates", self.begun)
        app.router.add_get("/v2/messaging_numbers_bulk_updates/{id}", self.asked)
        return app

    async def listed(self, request: web.Request) -> web.Response:
        validate_request("GET", f"/v2/phone_numbers/messaging?{request.query_string}")
        wanted = request.query["filter[phone_number]"].split(",")
        rows = [
            {
                "id": each[1:],
                "phone_number": each,
                "messaging_profile_id": self.places[each] or None,
                "type": "longcode",
            }
            for each in wanted
            if each in self.places
        ]
        return web.json_response({"data": rows, "meta": {"total_pages": 1}})

    async def begun(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        validate_request("POST", "/v2/messaging_numbers_bulk_updates", body)
        self.orders.append(body["numbers"])
        for each in body["numbers"]:
            if each in self.places and each not in self.refuses:
                self.places[each] = body["messaging_profile_id"]
        answer = self.bent(request, self.state(body["numbers"], body["messaging_profile_id"]))
        return answer if isinstance(answer, web.StreamResponse) else web.json_response({"data": answer})

    async def asked(self, request: web.Request) -> web.Response:
        self.pending -= 1
        return web.json_response({"data": self.state(self.orders[-1], PROFILE)})

    def state(self, wanted: list[str], target: str) -> dict[str, Any]:
        done = [each for each in wanted if self.places.get(each) == target]
        rest = [each for each in wanted if each not in done]
        if self.pending > 0:
            return {"order_id": ORDER, "success": [], "failed": [], "pending": wanted}
        return {"order_id": ORDER, "record_type": "x", "success": done, "failed": rest, "pending": []}


async def moved(api: TelnyxApi, count: int, *, limit_s: float = 30) -> Mover:
    mover = Mover(api, PROFILE, limit_s=limit_s)
    await mover.carry_out(await plan(api, names(count), PROFILE))
    assert sorted([*mover.done, *mover.failed]) == [number(n) for n in range(count)]
    return mover


async def test_an_order_is_followed_until_nothing_is_pending() -> None:
    telnyx = Telnyx()
    telnyx.pending = 3
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 10)
    assert (mover.done, mover.failed, mover.orders) == ([number(n) for n in range(10)], {}, [ORDER])
    assert telnyx.pending == 0


async def test_many_numbers_are_several_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_api, "AT_ONCE", 4)
    telnyx = Telnyx()
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 10)
    assert [len(order) for order in telnyx.orders] == [4, 4, 2]
    assert (len(mover.done), len(mover.orders)) == (10, 3)


async def test_failures_have_a_reason_and_the_others_go() -> None:
    telnyx = Telnyx(9)
    telnyx.refuses = {number(3)}
    telnyx.places[number(5)] = PROFILE
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 10)
    assert telnyx.orders == [[number(n) for n in range(9) if n != 5]]
    assert mover.failed.keys() == {number(3), number(9)}
    assert f"it is in profile {OTHER}" in mover.failed[number(3)]
    assert "no messaging number of this account" in mover.failed[number(9)]


async def test_an_order_that_never_ends_is_left_with_its_id() -> None:
    telnyx = Telnyx()
    telnyx.pending = 10**6
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 3, limit_s=0.5)
    assert mover.done == []
    assert {f"volley numbers order {ORDER}" in reason for reason in mover.failed.values()} == {True}


@pytest.mark.parametrize("carried_out", [True, False])
async def test_an_order_whose_answer_was_lost_is_never_repeated_but_looked_after(carried_out: bool) -> None:
    telnyx = Telnyx()
    telnyx.refuses = set() if carried_out else {number(n) for n in range(10)}
    telnyx.bent = lambda _, answer: web.Response(status=502)
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 10)
    assert len(telnyx.orders) == 1
    assert len(mover.done) == (10 if carried_out else 0)
    assert all("look before you repeat" in reason for reason in mover.failed.values())


async def test_after_a_lost_answer_no_further_order_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_api, "AT_ONCE", 4)
    telnyx = Telnyx()
    telnyx.bent = lambda _, answer: web.Response(status=502)
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 10)
    assert len(telnyx.orders) == 1
    assert mover.done == [number(n) for n in range(4)]
    assert {reason.split(":")[0] for reason in mover.failed.values()} == {"not asked"}


async def test_an_order_that_the_carrier_refuses_fails_its_numbers() -> None:
    refusal = {"errors": [{"code": "10015", "title": "Bad request", "source": {"pointer": "/numbers"}}]}
    telnyx = Telnyx()
    telnyx.refuses = {number(n) for n in range(10)}
    telnyx.bent = lambda _, answer: web.json_response(refusal, status=422)
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 10)
    assert set(mover.failed.values()) == {"the carrier refused: HTTP 422 10015 Bad request (/numbers)"}


async def test_numbers_that_an_order_does_not_name_are_not_taken_for_done() -> None:
    telnyx = Telnyx()
    telnyx.refuses = {number(0)}
    telnyx.bent = lambda _, answer: answer | {"success": [{"phone_number": number(1)}], "failed": []}
    async with serving_app(telnyx.app()) as api:
        mover = await moved(api, 3)
    assert sorted(mover.done) == [number(1), number(2)]
    assert mover.failed == {number(0): "the carrier's order does not name it"}
