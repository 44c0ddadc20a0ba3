"""Lists of tens of thousands of numbers are read as they are used, a page at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from producer.pool.carrier_numbers import Filter, listed
from tests.flow.carrier_config.conftest import serving_app
from volley.carrier import numbers_api
from volley.carrier.api import TelnyxApi

MANY = 30_000


@asynccontextmanager
async def large_account() -> AsyncIterator[tuple[list[int], TelnyxApi]]:
    pages: list[int] = []

    async def page(request: web.Request) -> web.Response:
        number, size = int(request.query["page[number]"]), int(request.query["page[size]"])
        pages.append(number)
        rows: list[dict[str, Any]] = [
            {"id": str(n), "phone_number": f"+1312{n:07d}", "type": "long-code", "messaging_profile_id": None}
            for n in range((number - 1) * size, min(number * size, MANY))
        ]
        return web.json_response({"data": rows, "meta": {"total_pages": -(-MANY // size)}})

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response({"data": [], "meta": {"total_pages": 0}})

    app = web.Application()
    app.router.add_get("/v2/phone_numbers/messaging", page)
    app.router.add_get("/v2/{other:.+}", nothing)
    async with serving_app(app) as api:
        yield pages, api


async def test_all_of_a_large_account_are_listed_once() -> None:
    async with large_account() as (pages, api):
        numbers = [row["number"] async for row in listed(api, Filter(unassigned=True))]
    assert (len(numbers), len(set(numbers))) == (MANY, MANY)
    assert pages == list(range(1, 121))


async def test_a_page_is_asked_for_when_the_one_before_is_used_up() -> None:
    async with large_account() as (pages, api):
        rows = numbers_api.numbers(api)
        for _ in range(250):
            await anext(rows)
        assert pages == [1]
        await anext(rows)
        assert pages == [1, 2]
