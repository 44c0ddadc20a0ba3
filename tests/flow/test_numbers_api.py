"""Profiles and numbers are read page by page, and every failure says what to do."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from volley.carrier import numbers_api
from volley.carrier.api import TelnyxApi
from volley.carrier.edge import Profile
from volley.carrier.profiles_api import profile as read_profile
from volley.errors import TryAgainLater, UnusableInput

PROFILE = "16fd2706-8baf-433b-82eb-8c7fada847da"
KINDS = {"phone_numbers/messaging": 600, "short_codes": 1, "alphanumeric_sender_ids": 2}


def row(path: str, place: int) -> dict[str, Any]:
    match path:
        case "short_codes":
            return {"short_code": f"1234{place}", "country_code": "US", "messaging_profile_id": PROFILE}
        case "alphanumeric_sender_ids":
            return {"alphanumeric_sender_id": f"ACME{place}"}
    kind = "tollfree" if place % 10 == 0 else "longcode"
    return {"phone_number": f"+1312555{place:04d}", "type": kind, "country_code": "US", "id": str(place)}


class Telnyx:
    """Answers lists as the API does; `faults` are given first, one a request."""

    def __init__(self) -> None:
        self.faults: list[tuple[int, dict[str, str], str]] = []
        self.asked: Counter[str] = Counter()
        self.sizes: set[str] = set()

    async def answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.asked[path] += 1
        if self.faults:
            status, headers, text = self.faults.pop(0)
            return web.Response(status=status, headers=headers, text=text)
        if request.headers["Authorization"] != "Bearer KEY":
            return self.error(401, "10009")
        if path.startswith("messaging_profiles/"):
            return self.profile(path.removeprefix("messaging_profiles/"))
        return self.page(path, request.query)

    def profile(self, profile_id: str) -> web.Response:
        if profile_id != PROFILE:
            return self.error(404, "10005")
        return web.json_response(
            {"data": {"id": PROFILE, "name": "Shop", "whitelisted_destinations": ["US"], "new": 1}}
        )

    def page(self, path: str, query: Any) -> web.Response:
        number, size = int(query["page[number]"]), int(query["page[size]"])
        self.sizes.add(query["page[size]"])
        total = KINDS[path] if query["filter[messaging_profile_id]"] == PROFILE else 0
        places = range((number - 1) * size, min(number * size, total))
        meta = {"page_number": number, "page_size": size, "total_pages": -(-total // size), "total_results": total}
        return web.json_response({"data": [row(path, place) for place in places], "meta": meta})

    def error(self, status: int, code: str) -> web.Response:
        return web.json_response({"errors": [{"code": code, "title": "No", "detail": "+13125550101"}]}, status=status)


@asynccontextmanager
async def telnyx(key: str = "KEY") -> AsyncIterator[tuple[Telnyx, TelnyxApi]]:
    carrier = Telnyx()
    app = web.Application()
    app.router.add_get("/v2/{path:.+}", carrier.answer)
    async with TestServer(app) as server, TelnyxApi(key, str(server.make_url("/v2")), first_wait_s=0.001) as api:
        yield carrier, api


async def test_a_profile_is_read() -> None:
    async with telnyx() as (_, api):
        profile = await read_profile(api, PROFILE)
    assert (profile.id, profile.name, profile.enabled, profile.weights) == (PROFILE, "Shop", True, None)


async def test_all_pages_are_read_once() -> None:
    async with telnyx() as (carrier, api):
        numbers = [number.phone_number async for number in numbers_api.numbers(api, PROFILE)]
    assert numbers == [f"+1312555{place:04d}" for place in range(600)]
    assert (carrier.asked["phone_numbers/messaging"], carrier.sizes) == (3, {"250"})


async def test_a_profile_without_numbers_has_none() -> None:
    async with telnyx() as (_, api):
        assert [number async for number in numbers_api.numbers(api, "another")] == []


async def test_all_kinds_of_senders_are_found() -> None:
    async with telnyx() as (_, api):
        senders = await numbers_api.senders(api, Profile(id=PROFILE))
    kinds = Counter(sender.type for sender in senders)
    assert kinds == {"long_code": 540, "toll_free": 60, "short_code": 1, "alphanumeric": 2}
    assert {sender.profile for sender in senders} == {PROFILE}


@pytest.mark.parametrize("fault", [(500, {}, ""), (503, {}, "<html>"), (429, {"Retry-After": "0"}, "")])
async def test_a_busy_carrier_is_asked_again(fault: tuple[int, dict[str, str], str]) -> None:
    async with telnyx() as (carrier, api):
        carrier.faults = [fault] * 3
        assert (await read_profile(api, PROFILE)).name == "Shop"
        carrier.faults = [fault] * 9
        with pytest.raises(TryAgainLater):
            await read_profile(api, PROFILE)
        assert len(carrier.faults) == 5


async def test_a_carrier_that_is_away_is_tried_again_later() -> None:
    async with telnyx() as (_, api):
        url = str(api._base)
    async with TelnyxApi("KEY", url, first_wait_s=0.001) as api:
        with pytest.raises(TryAgainLater, match="cannot be reached"):
            await read_profile(api, PROFILE)


async def test_a_wrong_key_is_named_and_tried_once() -> None:
    async with telnyx("WRONG") as (carrier, api):
        with pytest.raises(UnusableInput, match="the API key was refused: set TELNYX_API_KEY"):
            await read_profile(api, PROFILE)
    assert carrier.asked.total() == 1


@pytest.mark.parametrize("profile_id", ["nobody", "../short_codes", "a/b?c=d#e", "ü", ".."])
async def test_an_unknown_profile_is_named(profile_id: str) -> None:
    async with telnyx() as (carrier, api):
        with pytest.raises(UnusableInput, match="no messaging profile"):
            await read_profile(api, profile_id)
    assert not any(path == "short_codes" for path in carrier.asked)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((200, {}, "<html>Welcome"), "this is not Telnyx's API"),
        ((404, {}, "Not Found"), "this is not Telnyx's API"),
        ((302, {"Location": "/"}, ""), "this is not Telnyx's API"),
        ((403, {}, '{"errors":[{"code":"10010","title":"Forbidden","detail":"x"}]}'), "HTTP 403 10010 Forbidden"),
        ((200, {}, '{"data":{"name":"Shop"}}'), "unexpected id"),
        ((200, {}, '{"data":[]}'), "unexpected shape"),
    ],
)
async def test_an_odd_answer_says_what_is_wrong(fault: tuple[int, dict[str, str], str], message: str) -> None:
    async with telnyx() as (carrier, api):
        carrier.faults = [fault]
        with pytest.raises(UnusableInput, match=message):
            await read_profile(api, PROFILE)
