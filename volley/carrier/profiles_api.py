"""Messaging profiles at Telnyx."""

from volley.carrier.api import Missing, TelnyxApi, read, segment
from volley.carrier.edge import Profile
from volley.errors import UnusableInput

_PATH = "messaging_profiles"


async def profile(api: TelnyxApi, profile_id: str) -> Profile:
    """Raises UnusableInput where the account has no such profile."""
    try:
        document = await api.get(f"{_PATH}/{segment(profile_id)}")
    except Missing:
        raise UnusableInput(
            f"no messaging profile {profile_id[:60]!r} in this account: copy its id from the portal"
        ) from None
    return read(Profile, document.get("data"))
