"""Alphanumeric sender IDs at Telnyx: one is made for a profile and deleted from it; it cannot be moved."""

from collections.abc import AsyncIterator

from volley.carrier.api import TelnyxApi, read, segment
from volley.carrier.edge import AlphanumericId

_PATH = "alphanumeric_sender_ids"


async def alphanumeric_ids(api: TelnyxApi, profile_id: str = "") -> AsyncIterator[AlphanumericId]:
    """Those of the account, or of a profile."""
    query = {"filter[messaging_profile_id]": profile_id} if profile_id else {}
    async for row in api.rows(_PATH, query, AlphanumericId):
        yield row


async def find(api: TelnyxApi, name: str, profile_id: str = "") -> list[AlphanumericId]:
    """Every profile may have an ID of the same name."""
    return [row async for row in alphanumeric_ids(api, profile_id) if row.alphanumeric_sender_id == name]


async def alphanumeric_id(api: TelnyxApi, sender_id: str) -> AlphanumericId:
    """By the carrier's id. Raises Missing where there is none."""
    return read(AlphanumericId, (await api.get(f"{_PATH}/{segment(sender_id)}")).get("data"))


async def create(api: TelnyxApi, name: str, profile_id: str, *, us_long_code_fallback: str = "") -> AlphanumericId:
    """`us_long_code_fallback`: the long code (+E.164) that sends in its place to the US, which takes no such IDs."""
    fields = {"alphanumeric_sender_id": name, "messaging_profile_id": profile_id}
    if us_long_code_fallback:
        fields["us_long_code_fallback"] = us_long_code_fallback
    return read(AlphanumericId, (await api.post(_PATH, fields)).get("data"))


async def delete(api: TelnyxApi, sender_id: str) -> None:
    """Raises Missing where there is none."""
    await api.delete(f"{_PATH}/{segment(sender_id)}")
