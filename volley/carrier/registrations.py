"""Which numbers are registered, of the whole account or of some: 10DLC campaigns of US long codes, toll-free verifications.

What this account's key may not read (403, 404) is None, which is something else than "none is registered".
"""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from volley.carrier.api import TelnyxApi
from volley.carrier.registrations_api import (
    CampaignAssignment,
    Verification,
    campaign_assignment,
    campaign_assignments,
    campaign_pages,
    verification_pages,
    verifications,
)
from volley.errors import UnusableInput

_AT_ONCE = 8
_LONGEST = 160
_DIGITS = re.compile(r"\+?[0-9][0-9 ().-]{5,}[0-9]")
_BEST_FIRST = (
    "verified",
    "in progress",
    "waiting for telnyx",
    "waiting for vendor",
    "waiting for customer",
    "rejected",
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A number's 10DLC campaign under each of its ids, and how far that has come: ASSIGNED, PENDING_ASSIGNMENT, …

    `why` is what the carrier says of a failure, without phone numbers.
    """

    ids: tuple[str, ...]
    status: str = "ASSIGNED"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """How far a toll-free number's verification has come, in small letters, and what the carrier says of it."""

    status: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Registrations:
    """By +E.164 number. None: could not be read."""

    campaigns: Mapping[str, Assignment] | None = None
    toll_free: Mapping[str, Verified] | None = None


async def registrations(api: TelnyxApi) -> Registrations:
    """Those of the whole account."""
    return Registrations(await _campaigns(api), await _statuses(verifications(api)))


async def registrations_among(api: TelnyxApi, long_codes: Collection[str], toll_free: Collection[str]) -> Registrations:
    """Those of these numbers (+E.164), and perhaps of others: the account's lists, or number by number, whichever are fewer
    requests. Of what there is none the list is not read, and is None.
    """
    return Registrations(
        campaigns=await _campaigns_among(api, set(long_codes)) if long_codes else None,
        toll_free=await _statuses(_verifications_among(api, toll_free)) if toll_free else None,
    )


async def registrations_of(api: TelnyxApi, number: str) -> Registrations:
    """Those of one number (+E.164), in a few requests."""
    return Registrations(await _campaign(api, number), await _statuses(verifications(api, number=number)))


async def _campaigns(api: TelnyxApi) -> dict[str, Assignment] | None:
    try:
        return {_plus(row.phone_number): _assignment(row) async for row in campaign_assignments(api)}
    except UnusableInput:
        return None


async def _campaigns_among(api: TelnyxApi, wanted: set[str]) -> dict[str, Assignment] | None:
    found: dict[str, Assignment] = {}
    try:
        async for rows, left in campaign_pages(api):
            found |= {_plus(row.phone_number): _assignment(row) for row in rows}
            missing = wanted - found.keys()
            if left > len(missing):
                return found | await _campaigns_by_number(api, missing)
    except UnusableInput:
        return None
    return found


async def _campaigns_by_number(api: TelnyxApi, numbers: Collection[str]) -> dict[str, Assignment]:
    """The list could be read: that a number is not found says that it is in no campaign."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(number: str) -> CampaignAssignment | None:
        async with slots:
            return await campaign_assignment(api, number)

    rows = await asyncio.gather(*map(one, numbers))
    return {number: _assignment(row) for number, row in zip(numbers, rows, strict=True) if row is not None}


async def _verifications_among(api: TelnyxApi, wanted: Collection[str]) -> AsyncIterator[Verification]:
    """A number may be in several requests, on several pages: only the whole list, or its own, tells of all."""
    async for rows, left in verification_pages(api):
        if left > len(wanted):
            for number in wanted:
                async for row in verifications(api, number=number):
                    yield row
            return
        for row in rows:
            yield row


async def _campaign(api: TelnyxApi, number: str) -> dict[str, Assignment] | None:
    try:
        row = await campaign_assignment(api, number)
        if row is not None:
            return {number: _assignment(row)}
        # A 404 for one number says "none" only where the list itself can be read
        await anext(campaign_assignments(api), None)
    except UnusableInput:
        return None
    return {}


async def _statuses(rows: AsyncIterator[Verification]) -> dict[str, Verified] | None:
    found: dict[str, Verified] = {}
    try:
        async for row in rows:
            new = Verified(row.verification_status.lower(), _told(row.reason))
            for number in map(_plus, row.numbers):
                found[number] = _better(found.get(number), new)
    except UnusableInput:
        return None
    return found


def _assignment(row: CampaignAssignment) -> Assignment:
    ids = dict.fromkeys(found for found in (row.campaign_id, row.tcr_campaign_id, row.telnyx_campaign_id) if found)
    return Assignment(tuple(ids), row.assignment_status.upper() or "ASSIGNED", _told(row.failure_reasons))


def _better(held: Verified | None, new: Verified) -> Verified:
    """A number may be in several requests: the one that came furthest counts."""
    return new if held is None or _rank(new.status) < _rank(held.status) else held


def _rank(status: str) -> int:
    return _BEST_FIRST.index(status) if status in _BEST_FIRST else len(_BEST_FIRST)


def _told(words: str) -> str:
    return _DIGITS.sub("…", " ".join(words.split()))[:_LONGEST]


def _plus(number: str) -> str:
    return number if number.startswith("+") else f"+{number}"
