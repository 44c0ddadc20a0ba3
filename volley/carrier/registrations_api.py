"""Who may send to the US: 10DLC campaigns of long codes, verification of toll-free numbers. Both count pages in their own way."""

from collections.abc import AsyncIterator, Mapping
from math import ceil
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from volley.carrier.api import Missing, TelnyxApi, read, segment
from volley.carrier.edge import Wire

PAGE = 100
"""Rows a page that we ask for. The bound is not published and may be lower: pages are counted by the rows that came."""

_CAMPAIGNS = "10dlc/phone_number_campaigns"
_VERIFICATIONS = "messaging_tollfree/verification/requests"
_Row = TypeVar("_Row", bound=BaseModel)


class CampaignAssignment(Wire):
    """A long code and its 10DLC campaign. `assignment_status`: ASSIGNED, PENDING_ASSIGNMENT, FAILED_ASSIGNMENT,
    PENDING_UNASSIGNMENT or FAILED_UNASSIGNMENT; "" where the carrier leaves it out.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    phone_number: str
    campaign_id: str
    assignment_status: str = ""
    failure_reasons: str = ""
    brand_id: str = ""
    tcr_brand_id: str = ""
    tcr_campaign_id: str = ""
    telnyx_campaign_id: str = ""
    created_at: str | None = None
    updated_at: str | None = None


class _TollFreeNumber(Wire):
    number: str = Field(alias="phoneNumber")


class Verification(Wire):
    """A toll-free verification request. `verification_status`: Verified, Rejected, Waiting For Vendor, Waiting For Customer,
    Waiting For Telnyx or In Progress.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: str
    verification_status: str = ""
    reason: str = ""
    phone_numbers: list[_TollFreeNumber] = Field(default_factory=list)
    business_name: str = ""
    use_case: str = ""
    message_volume: str = ""
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def numbers(self) -> list[str]:
        """As +E.164."""
        return [each.number for each in self.phone_numbers]


async def campaign_assignments(api: TelnyxApi, *, campaign_id: str = "") -> AsyncIterator[CampaignAssignment]:
    """All of the account, newest first, or those of one campaign by its TCR id."""
    async for rows, _ in campaign_pages(api, campaign_id=campaign_id):
        for row in rows:
            yield row


async def campaign_pages(
    api: TelnyxApi, *, campaign_id: str = ""
) -> AsyncIterator[tuple[list[CampaignAssignment], int]]:
    """The same page by page, each with how many pages are left."""
    query = {"filter[tcr_campaign_id]": campaign_id} if campaign_id else {}
    async for found in _pages(api, _CAMPAIGNS, query, ("page", "recordsPerPage", "totalRecords"), CampaignAssignment):
        yield found


async def campaign_assignment(api: TelnyxApi, number: str) -> CampaignAssignment | None:
    """None where the number (+E.164) is in no campaign."""
    try:
        return read(CampaignAssignment, _bare(await api.get(f"{_CAMPAIGNS}/{segment(number)}")))
    except Missing:
        return None


async def assign_campaign(api: TelnyxApi, number: str, campaign_id: str) -> CampaignAssignment:
    """Asks for it; the carrier takes its time and says PENDING_ASSIGNMENT until then."""
    document = await api.post(_CAMPAIGNS, {"phoneNumber": number, "campaignId": campaign_id})
    return read(CampaignAssignment, _bare(document))


async def leave_campaign(api: TelnyxApi, number: str) -> None:
    await api.delete(f"{_CAMPAIGNS}/{segment(number)}")


async def verifications(api: TelnyxApi, *, number: str = "", status: str = "") -> AsyncIterator[Verification]:
    """All of the account, or those for one number (+E.164), or in one state."""
    async for rows, _ in verification_pages(api, number=number, status=status):
        for row in rows:
            yield row


async def verification_pages(
    api: TelnyxApi, *, number: str = "", status: str = ""
) -> AsyncIterator[tuple[list[Verification], int]]:
    """The same page by page, each with how many pages are left."""
    query = {name: value for name, value in (("phone_number", number), ("status", status)) if value}
    async for found in _pages(api, _VERIFICATIONS, query, ("page", "page_size", "total_records"), Verification):
        yield found


async def verification(api: TelnyxApi, request_id: str) -> Verification:
    """Raises Missing where there is no such request."""
    return read(Verification, _bare(await api.get(f"{_VERIFICATIONS}/{segment(request_id)}")))


def _bare(document: dict[str, Any]) -> Any:
    """These answers come without an envelope; one in `data` is read too."""
    return document.get("data", document)


async def _pages(
    api: TelnyxApi, path: str, query: Mapping[str, str], names: tuple[str, str, str], model: type[_Row]
) -> AsyncIterator[tuple[list[_Row], int]]:
    page, size, total = names
    number, seen = 1, 0
    while True:
        document = await api.get(path, {**query, page: str(number), size: str(PAGE)})
        rows = document.get("records")
        if not isinstance(rows, list) or not rows:
            return
        seen += len(rows)
        whole = document.get(total)
        left = ceil(max(0, whole - seen) / len(rows)) if isinstance(whole, int) else int(len(rows) >= PAGE)
        yield [read(model, row) for row in rows], left
        if not left:
            return
        number += 1
