"""Numbers, short codes and alphanumeric sender IDs at Telnyx."""

from collections.abc import AsyncIterator

from volley.carrier.api import TelnyxApi
from volley.carrier.edge import AlphanumericId, Number, Profile, ShortCode
from volley.sender import Sender


async def numbers(api: TelnyxApi, profile_id: str) -> AsyncIterator[Number]:
    """Long codes, toll-free numbers and whatever else is assigned to the profile. No such profile: nothing."""
    async for row in api.rows("phone_numbers/messaging", _of(profile_id), Number):
        yield row


async def short_codes(api: TelnyxApi, profile_id: str) -> AsyncIterator[ShortCode]:
    async for row in api.rows("short_codes", _of(profile_id), ShortCode):
        yield row


async def alphanumeric_ids(api: TelnyxApi, profile_id: str) -> AsyncIterator[AlphanumericId]:
    async for row in api.rows("alphanumeric_sender_ids", _of(profile_id), AlphanumericId):
        yield row


async def senders(api: TelnyxApi, profile: Profile) -> list[Sender]:
    """All that can send for a profile, each once; rates are still to be set."""
    found: dict[str, Sender] = {}
    for rows in (numbers(api, profile.id), short_codes(api, profile.id), alphanumeric_ids(api, profile.id)):
        async for row in rows:
            sender = row.sender(profile)
            found.setdefault(sender.number, sender)
    return list(found.values())


def _of(profile_id: str) -> dict[str, str]:
    return {"filter[messaging_profile_id]": profile_id}
