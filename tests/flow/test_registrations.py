"""Who is registered is read page by page; what may not be read is unknown, and never taken for "not registered"."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from volley.carrier.api import TelnyxApi
from volley.carrier.registrations import (
    Assignment,
    Registrations,
    Verified,
    registrations,
    registrations_among,
    registrations_of,
)
from volley.errors import TryAgainLater

CAMPAIGNS, TOLL_FREE = "/v2/10dlc/phone_number_campaigns", "/v2/messaging_tollfree/verification/requests"
UNREAD = Registrations(None, None)


def assigned(place: int, **fields: Any) -> dict[str, Any]:
    number = f"+1312555{place:04d}"
    ids = {"campaignId": f"C{place}", "tcrCampaignId": f"TCR{place}", "telnyxCampaignId": None}
    return {"phoneNumber": number, "assignmentStatus": "ASSIGNED", "createdAt": "", "updatedAt": ""} | ids | fields


def request(status: str, *numbers: str) -> dict[str, Any]:
    return {"id": "x", "verificationStatus": status, "phoneNumbers": [{"phoneNumber": each} for each in numbers]}


class Carrier:
    """Two lists in pages of at most `size` rows, whatever is asked for; `refusal` instead, if there is one."""

    def __init__(self) -> None:
        self.campaigns = [assigned(place) for place in range(130)]
        self.requests = [request("In Progress", "+18005550101")]
        self.size = 50
        self.refusal: web.Response | None = None
        self.asked: list[str] = []

    async def answer(self, got: web.Request) -> web.Response:
        self.asked.append(got.path)
        if self.refusal is not None:
            return error(self.refusal.status, self.refusal.text)
        if got.path == CAMPAIGNS:
            return self.page(self.campaigns, got.query, "totalRecords")
        if got.path == TOLL_FREE:
            wanted = got.query.get("phone_number", "")
            return self.page([row for row in self.requests if wanted in str(row)], got.query, "total_records")
        number = got.path.rsplit("/", 1)[1]
        row = next((row for row in self.campaigns if row["phoneNumber"] == number), None)
        return web.json_response(row) if row else error(404)

    def page(self, rows: list[dict[str, Any]], query: Any, total: str) -> web.Response:
        size = min(self.size, int(query.get("recordsPerPage", query.get("page_size"))))
        start = (int(query["page"]) - 1) * size
        return web.json_response({"records": rows[start : start + size], "page": 1, total: len(rows)})


def error(status: int, text: str | None = None) -> web.Response:
    usual = '{"errors":[{"code":"10005","title":"No"}]}'
    return web.Response(status=status, text=usual if text is None else text, content_type="application/json")


@asynccontextmanager
async def telnyx() -> AsyncIterator[tuple[Carrier, TelnyxApi]]:
    carrier = Carrier()
    app = web.Application()
    app.router.add_get("/v2/{path:.+}", carrier.answer)
    async with TestServer(app) as server, TelnyxApi("KEY", str(server.make_url("/v2")), first_wait_s=0.001) as api:
        yield carrier, api


async def test_every_page_is_read_however_few_rows_a_page_has() -> None:
    async with telnyx() as (carrier, api):
        found = await registrations(api)
    assert found.campaigns is not None
    assert len(found.campaigns) == 130
    assert found.campaigns["+13125550129"] == Assignment(("C129", "TCR129"), "ASSIGNED")
    assert found.toll_free == {"+18005550101": Verified("in progress")}
    assert carrier.asked.count(CAMPAIGNS) == 3


async def test_what_nobody_asked_for_is_not_read() -> None:
    async with telnyx() as (carrier, api):
        assert await registrations_among(api, [], []) == UNREAD
    assert not carrier.asked


async def test_a_few_numbers_of_a_large_account_are_asked_for_one_by_one() -> None:
    asked_for = [f"+1312555{place:04d}" for place in (3, 1900, 1901, 1999, 5000)]
    async with telnyx() as (carrier, api):
        carrier.campaigns = [assigned(place) for place in range(2000)]
        carrier.requests = [request("In Progress", f"+1800555{place:04d}") for place in range(500)]
        carrier.requests.append(request("Verified", "+18005550000"))
        found = await registrations_among(api, asked_for, ["+18005550000", "+18005559999"])
    assert found.campaigns is not None
    assert [number in found.campaigns for number in asked_for] == [True] * 4 + [False]
    assert found.toll_free is not None
    assert found.toll_free["+18005550000"] == Verified("verified")
    assert "+18005559999" not in found.toll_free
    assert carrier.asked.count(CAMPAIGNS) == 1
    assert len(carrier.asked) == 1 + 4 + 1 + 2


async def test_many_numbers_are_found_in_the_accounts_list_page_by_page() -> None:
    async with telnyx() as (carrier, api):
        found = await registrations_among(api, [f"+1312555{place:04d}" for place in range(131)], ["+18005550101"])
    assert (len(found.campaigns or {}), len(found.toll_free or {})) == (130, 1)
    assert carrier.asked == [CAMPAIGNS] * 3 + [TOLL_FREE]


async def test_one_number_takes_a_few_requests() -> None:
    async with telnyx() as (carrier, api):
        found = await registrations_of(api, "+13125550007")
        assert found == Registrations({"+13125550007": Assignment(("C7", "TCR7"), "ASSIGNED")}, {})
        assert len(carrier.asked) == 2
        assert (await registrations_of(api, "+13125559999")).campaigns == {}
        assert (await registrations_of(api, "+18005550101")).toll_free == {"+18005550101": Verified("in progress")}


@pytest.mark.parametrize(
    "refusal",
    [error(403), error(404), error(404, "not found"), error(200, "<html>"), error(200, '{"records":[{"new":1}]}')],
)
async def test_what_may_not_be_read_is_unknown(refusal: web.Response) -> None:
    async with telnyx() as (carrier, api):
        carrier.refusal = refusal
        assert await registrations(api) == UNREAD
        assert await registrations_among(api, ["+13125550007"], ["+18005550101"]) == UNREAD
        assert (await registrations_of(api, "+13125550007")) == UNREAD


async def test_a_carrier_that_is_away_is_not_taken_for_one_that_refuses() -> None:
    async with telnyx() as (carrier, api):
        carrier.refusal = error(503)
        with pytest.raises(TryAgainLater):
            await registrations(api)


@pytest.mark.parametrize(
    ("statuses", "counts"),
    [
        (("Rejected", "Verified"), "verified"),
        (("Verified", "Rejected"), "verified"),
        (("Rejected", "Waiting For Customer"), "waiting for customer"),
        (("Somewhere", "Rejected"), "rejected"),
        ((None,), ""),
    ],
)
async def test_of_several_requests_for_a_number_the_one_that_came_furthest_counts(
    statuses: tuple[str, ...], counts: str
) -> None:
    async with telnyx() as (carrier, api):
        carrier.requests = [request(status, "18005550101", "+18005550102") for status in statuses]
        found = (await registrations(api)).toll_free
    assert found == dict.fromkeys(("+18005550101", "+18005550102"), Verified(counts))


async def test_the_carriers_reason_is_kept_without_phone_numbers() -> None:
    why = "Number +1 (312) 555-0001 is on 2 campaigns,\nsee 8005550101"
    async with telnyx() as (carrier, api):
        carrier.campaigns = [assigned(1, assignmentStatus="FAILED_ASSIGNMENT", failureReasons=why)]
        carrier.requests = [request("Rejected", "+18005550101") | {"reason": why + "x" * 900}]
        found = await registrations(api)
    [assignment], [verification] = (found.campaigns or {}).values(), (found.toll_free or {}).values()
    assert assignment.why == "Number … is on 2 campaigns, see …"
    assert len(verification.why) == 160


async def test_an_assignment_without_a_status_counts_as_made() -> None:
    async with telnyx() as (carrier, api):
        carrier.campaigns = [assigned(1, assignmentStatus=None), assigned(2, assignmentStatus="pending_assignment")]
        found = (await registrations(api)).campaigns or {}
    assert [each.status for each in found.values()] == ["ASSIGNED", "PENDING_ASSIGNMENT"]
