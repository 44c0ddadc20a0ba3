"""10DLC campaigns and toll-free verification: read page by page in the carrier's odd ways, asked for in its own words."""

from typing import Any

from tests.flow.carrier_config.conftest import error, serving
from tests.openapi import validate_answer, validate_request
from volley.carrier import registrations_api
from volley.carrier.registrations_api import PAGE

CAMPAIGNS, VERIFICATIONS = "/10dlc/phone_number_campaigns", "/messaging_tollfree/verification/requests"


def assignment(n: int, **more: Any) -> dict[str, Any]:
    return {
        "phoneNumber": f"+1312555{n:04d}",
        "brandId": "b",
        "tcrBrandId": "BTEST",
        "campaignId": "c",
        "tcrCampaignId": "CTEST",
        "telnyxCampaignId": "c",
        "assignmentStatus": "ASSIGNED",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        **more,
    }


def verification(n: int, status: str) -> dict[str, Any]:
    """With what is read of it; a real one has some thirty fields more."""
    return {
        "id": f"16fd2706-8baf-433b-82eb-{n:012x}",
        "verificationStatus": status,
        "phoneNumbers": [{"phoneNumber": f"+1800555{n:04d}"}],
        "businessName": "ACME",
        "reason": None,
        "messageVolume": "10,000",
    }


def paths(asked: list[tuple[str, str, Any]]) -> list[str]:
    return [path.removeprefix("/v2") for _, path, _ in asked]


async def test_all_campaign_assignments_are_read_to_the_last_page() -> None:
    def page(number: int, count: int) -> dict[str, Any]:
        rows = [assignment(n) for n in range((number - 1) * PAGE, (number - 1) * PAGE + count)]
        return {"records": rows, "page": number, "totalRecords": PAGE + 3}

    async with serving(page(1, PAGE), page(2, 3)) as (carrier, api):
        found = [row async for row in registrations_api.campaign_assignments(api)]
    validate_answer("GET", CAMPAIGNS, 200, page(2, 3))
    for path in paths(carrier.asked):
        validate_request("GET", path)
    assert len({row.phone_number for row in found}) == PAGE + 3
    assert (found[0].campaign_id, found[0].tcr_campaign_id, found[0].assignment_status) == ("c", "CTEST", "ASSIGNED")
    assert len(carrier.asked) == 2


async def test_a_carrier_that_gives_smaller_pages_is_read_to_the_end_too() -> None:
    pages = ({"records": [assignment(n)], "page": n, "totalRecords": 2} for n in (1, 2))
    async with serving(*pages) as (_, api):
        assert [row.phone_number async for row in registrations_api.campaign_assignments(api, campaign_id="CTEST")] == [
            "+13125550001",
            "+13125550002",
        ]


async def test_one_number_has_a_campaign_or_none() -> None:
    async with serving(assignment(1, assignmentStatus="FAILED_ASSIGNMENT", failureReasons="No such brand")) as (
        carrier,
        api,
    ):
        found = await registrations_api.campaign_assignment(api, "+13125550001")
    assert found is not None
    assert (found.assignment_status, found.failure_reasons) == ("FAILED_ASSIGNMENT", "No such brand")
    assert paths(carrier.asked) == [f"{CAMPAIGNS}/+13125550001"]
    async with serving(lambda: error(404, "10005")) as (_, api):
        assert await registrations_api.campaign_assignment(api, "+13125550001") is None


async def test_a_number_joins_a_campaign_and_leaves_it() -> None:
    async with serving(assignment(1, assignmentStatus="PENDING_ASSIGNMENT")) as (carrier, api):
        found = await registrations_api.assign_campaign(api, "+13125550001", "c")
        await registrations_api.leave_campaign(api, "+13125550001")
    assert found.assignment_status == "PENDING_ASSIGNMENT"
    (_, _, body), (method, path, _) = carrier.asked
    validate_request("POST", CAMPAIGNS, body)
    assert (method, path) == ("DELETE", f"/v2{CAMPAIGNS}/+13125550001")


async def test_verifications_are_read_by_number_and_by_id() -> None:
    first = {"records": [verification(1, "Verified")], "total_records": 2}
    second = {"records": [verification(2, "Waiting For Customer")], "total_records": 2}
    async with serving(first, second, verification(3, "Rejected")) as (carrier, api):
        found = [row async for row in registrations_api.verifications(api, number="+18005550001")]
        one = await registrations_api.verification(api, verification(3, "")["id"])
    for path in paths(carrier.asked):
        validate_request("GET", path)
    assert [(row.numbers, row.verification_status, row.reason) for row in found] == [
        (["+18005550001"], "Verified", ""),
        (["+18005550002"], "Waiting For Customer", ""),
    ]
    assert one.verification_status == "Rejected"


async def test_no_registrations_are_none() -> None:
    for empty in ({"records": []}, {}, {"records": None}):
        async with serving(empty) as (carrier, api):
            assert [row async for row in registrations_api.verifications(api)] == []
        assert len(carrier.asked) == 1
