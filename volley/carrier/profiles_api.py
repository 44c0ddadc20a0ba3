"""Messaging profiles at Telnyx."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from volley.carrier.api import Missing, TelnyxApi, read, segment
from volley.carrier.edge import Profile

_PATH = "messaging_profiles"


async def profiles(api: TelnyxApi, *, contains: str = "") -> AsyncIterator[Profile]:
    """All of the account, or those whose name contains a string."""
    async for row in api.rows(_PATH, {"filter[name][contains]": contains} if contains else {}, Profile):
        yield row


async def profile(api: TelnyxApi, profile_id: str) -> Profile:
    """Raises Missing where the account has no such profile."""
    try:
        document = await api.get(f"{_PATH}/{segment(profile_id)}")
    except Missing:
        raise _unknown(profile_id) from None
    return read(Profile, document.get("data"))


async def create(api: TelnyxApi, fields: Mapping[str, Any]) -> Profile:
    """`fields` as Telnyx names them; `name` and `whitelisted_destinations` are needed."""
    return read(Profile, (await api.post(_PATH, fields)).get("data"))


async def update(api: TelnyxApi, profile_id: str, fields: Mapping[str, Any]) -> Profile:
    """Changes what is given and nothing else; `number_pool_settings` is given whole, or None to switch the pool off."""
    try:
        document = await api.patch(f"{_PATH}/{segment(profile_id)}", fields)
    except Missing:
        raise _unknown(profile_id) from None
    return read(Profile, document.get("data"))


async def delete(api: TelnyxApi, profile_id: str) -> None:
    """Its numbers stay in the account and belong to no profile."""
    try:
        await api.delete(f"{_PATH}/{segment(profile_id)}")
    except Missing:
        raise _unknown(profile_id) from None


def _unknown(profile_id: str) -> Missing:
    return Missing(f"no messaging profile {profile_id[:60]!r} in this account: see volley profiles list")
