"""Short codes at Telnyx."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from volley.carrier.api import TelnyxApi, read, segment
from volley.carrier.edge import ShortCode

_PATH = "short_codes"


async def short_codes(api: TelnyxApi, profile_id: str = "") -> AsyncIterator[ShortCode]:
    """Those of the account, or of a profile."""
    async for row in api.rows(_PATH, {"filter[messaging_profile_id]": profile_id} if profile_id else {}, ShortCode):
        yield row


async def find(api: TelnyxApi, digits: str) -> ShortCode | None:
    """None where this account has no such short code."""
    async for row in short_codes(api):
        if row.short_code == digits:
            return row
    return None


async def short_code(api: TelnyxApi, code_id: str) -> ShortCode:
    """By the carrier's id. Raises Missing where there is none."""
    return read(ShortCode, (await api.get(f"{_PATH}/{segment(code_id)}")).get("data"))


async def place(api: TelnyxApi, code_id: str, profile_id: str, *, tags: Sequence[str] | None = None) -> ShortCode:
    """Assigns it to a profile; "" takes it out of the one it is in. The carrier wants the profile even to set tags."""
    fields: dict[str, Any] = {"messaging_profile_id": profile_id}
    if tags is not None:
        fields["tags"] = list(tags)
    return read(ShortCode, (await api.patch(f"{_PATH}/{segment(code_id)}", fields)).get("data"))
