"""Which numbers are registered, read whole: 10DLC campaigns of US long codes, verifications of toll-free numbers.

What this account's key may not read (403, 404) is None, which is something else than "none is registered".
"""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from volley.carrier.api import TelnyxApi
from volley.carrier.registrations_api import (
    CampaignAssignment,
    Verification,
    campaign_assignment,
    campaign_assignments,
    verifications,
)
from volley.errors import UnusableInput

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


async def registrations(api: TelnyxApi, *, campaigns: bool = True, toll_free: bool = True) -> Registrations:
    """Those of the whole account; what is not asked for stays None."""
    return Registrations(
        campaigns=await _campaigns(api) if campaigns else None,
        toll_free=await _statuses(verifications(api)) if toll_free else None,
    )


async def registrations_of(api: TelnyxApi, number: str) -> Registrations:
    """Those of one number (+E.164), in a few requests."""
    return Registrations(await _campaign(api, number), await _statuses(verifications(api, number=number)))


async def _campaigns(api: TelnyxApi) -> dict[str, Assignment] | None:
    try:
        return {_plus(row.phone_number): _assignment(row) async for row in campaign_assignments(api)}
    except UnusableInput:
        return None


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
