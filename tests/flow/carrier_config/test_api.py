"""The client of the configuration API on the wire: what is repeated, what never is, and what errors say."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import BaseModel

from tests.flow.carrier_config.conftest import error, serving
from volley.carrier.api import CarrierRefused, Missing, TelnyxApi, segment
from volley.embedded import free_port
from volley.errors import TryAgainLater, UnusableInput

Call = Callable[[TelnyxApi], Awaitable[Any]]

CHANGES: dict[str, Call] = {
    "PATCH": lambda api: api.patch("things/1", {"a": 1}),
    "PUT": lambda api: api.put("things/1", {"a": 1}),
    "DELETE": lambda api: api.delete("things/1"),
    "GET": lambda api: api.get("things/1"),
}


def post(api: TelnyxApi) -> Awaitable[Any]:
    return api.post("things", {"a": 1})


@pytest.mark.parametrize(
    "fault", ["cut", "silent", lambda: web.Response(status=500), lambda: web.Response(status=503, text="<html>"),
              lambda: error(408, "10008")]
)  # fmt: skip
async def test_a_post_that_may_have_gone_out_is_never_repeated(fault: Any) -> None:
    async with serving(fault) as (carrier, api):
        with pytest.raises(TryAgainLater, match="look before you repeat"):
            await post(api)
    assert len(carrier.asked) == 1


async def test_a_post_that_was_turned_away_is_repeated() -> None:
    async with serving(lambda: error(429, "10011"), lambda: error(429, "10011"), {"data": {"id": "1"}}) as (
        carrier,
        api,
    ):
        assert await post(api) == {"data": {"id": "1"}}
    assert [asked[2] for asked in carrier.asked] == [{"a": 1}] * 3


async def test_a_post_that_found_no_connection_is_tried_again_and_says_that_nothing_was_done() -> None:
    async with TelnyxApi("KEY", f"http://127.0.0.1:{free_port()}/v2", first_wait_s=0.001) as api:
        with pytest.raises(TryAgainLater, match="cannot be reached") as caught:
            await post(api)
    assert "look before" not in str(caught.value)


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize("fault", ["cut", lambda: web.Response(status=502), lambda: error(429, "10011")])
async def test_what_can_be_repeated_is_repeated(method: str, fault: Any) -> None:
    async with serving(fault, fault, {"data": 1}) as (carrier, api):
        assert await CHANGES[method](api) == {"data": 1}
    assert {asked[:2] for asked in carrier.asked} == {(method, "/v2/things/1")}
    assert len(carrier.asked) == 3


async def test_a_delete_whose_answer_was_lost_has_been_done() -> None:
    async with serving("cut", lambda: error(404, "10005")) as (_, api):
        assert await api.delete("things/1") == {}
    async with serving(lambda: error(404, "10005")) as (_, api):
        with pytest.raises(Missing):
            await api.delete("things/1")


@pytest.mark.parametrize("status", [200, 204])
async def test_an_answer_without_a_body_is_an_empty_document(status: int) -> None:
    async with serving(lambda: web.Response(status=status)) as (_, api):
        assert await api.delete("things/1") == {}


async def test_an_error_names_the_field_and_never_what_was_sent() -> None:
    async with serving(lambda: error(422, "10027", source={"pointer": "/webhook_url"})) as (carrier, api):
        with pytest.raises(CarrierRefused) as caught:
            await post(api)
    assert (caught.value.status, caught.value.code, caught.value.exit_code) == (422, "10027", 2)
    assert str(caught.value) == "the carrier refused: HTTP 422 10027 Invalid value (/webhook_url)"
    assert len(carrier.asked) == 1


class Row(BaseModel):
    n: int


@pytest.mark.parametrize("tells", [True, False])
async def test_lists_are_read_to_the_end_whether_or_not_they_say_how_long_they_are(tells: bool) -> None:
    def page(*numbers: int) -> dict[str, Any]:
        rows = [{"n": number} for number in numbers]
        return {"data": rows, "meta": {"total_pages": 2}} if tells else {"data": rows}

    async with serving(page(1, 2), page(3)) as (carrier, api):
        assert [row.n async for row in api.rows("things", {"filter[x]": "a+b"}, Row, page=2)] == [1, 2, 3]
    assert [asked[1] for asked in carrier.asked] == [
        f"/v2/things?filter%5Bx%5D=a%2Bb&page%5Bnumber%5D={n}&page%5Bsize%5D=2" for n in (1, 2)
    ]


@pytest.mark.parametrize("word", ["", "a/b", "..", "a b", "ü", "x" * 65, "a?b"])
def test_what_can_be_no_id_is_no_path(word: str) -> None:
    with pytest.raises(Missing):
        segment(word)


async def test_a_key_that_is_refused_is_not_told() -> None:
    async with serving(lambda: error(401, "10009")) as (carrier, api):
        with pytest.raises(UnusableInput, match="set TELNYX_API_KEY") as caught:
            await post(api)
    assert "KEY " not in str(caught.value).replace("TELNYX_API_KEY", "")
    assert len(carrier.asked) == 1
