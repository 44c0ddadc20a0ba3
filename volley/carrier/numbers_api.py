"""Phone numbers with their messaging settings at Telnyx: long codes and toll-free numbers; and all senders of a profile."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from volley.carrier.alphanumeric_api import alphanumeric_ids
from volley.carrier.api import Missing, TelnyxApi, read, segment
from volley.carrier.edge import Number, Profile
from volley.carrier.short_codes_api import short_codes
from volley.sender import Sender, SenderType

AT_ONCE = 50
"""Numbers that one request asks for by name, so that its address stays short."""

_PATH = "phone_numbers/messaging"
_TYPES: dict[SenderType, str] = {"long_code": "longcode", "toll_free": "tollfree", "short_code": "shortcode"}


async def numbers(
    api: TelnyxApi, profile_id: str = "", *, kind: SenderType | None = None, contains: str = ""
) -> AsyncIterator[Number]:
    """What the account has, or a profile, page by page. No such profile: nothing."""
    query = {"filter[messaging_profile_id]": profile_id, "filter[phone_number][contains]": contains}
    query["filter[type]"] = _TYPES[kind] if kind is not None else ""
    async for row in api.rows(_PATH, {name: value for name, value in query.items() if value}, Number):
        yield row


async def find(api: TelnyxApi, wanted: Sequence[str]) -> dict[str, Number]:
    """Those of some numbers (+E.164) that this account has."""
    found: dict[str, Number] = {}
    for at in range(0, len(wanted), AT_ONCE):
        piece = wanted[at : at + AT_ONCE]
        async for row in api.rows(_PATH, {"filter[phone_number]": ",".join(piece)}, Number):
            if row.phone_number in piece:
                found[row.phone_number] = row
    return found


async def number(api: TelnyxApi, number_id: str) -> Number:
    """By the carrier's id. Raises Missing where there is none."""
    return read(Number, (await api.get(_one(number_id))).get("data"))


async def place(api: TelnyxApi, number_id: str, profile_id: str) -> Number:
    """Assigns it to a profile; "" takes it out of the one it is in. Raises Missing where there is no such number."""
    return await _change(api, number_id, {"messaging_profile_id": profile_id})


async def tag(api: TelnyxApi, number_id: str, tags: Sequence[str]) -> Number:
    """These are its tags now; the carrier writes them onto every message of the number."""
    return await _change(api, number_id, {"tags": list(tags)})


async def senders(api: TelnyxApi, profile: Profile) -> list[Sender]:
    """All that can send for a profile, each once; rates are still to be set."""
    found: dict[str, Sender] = {}
    for rows in (numbers(api, profile.id), short_codes(api, profile.id), alphanumeric_ids(api, profile.id)):
        async for row in rows:
            sender = row.sender(profile)
            found.setdefault(sender.number, sender)
    return list(found.values())


async def _change(api: TelnyxApi, number_id: str, fields: dict[str, Any]) -> Number:
    return read(Number, (await api.patch(_one(number_id), fields)).get("data"))


def _one(number_id: str) -> str:
    if number_id.startswith("+"):
        raise Missing("numbers have an id of their own at the carrier")
    return f"phone_numbers/{segment(number_id)}/messaging"
