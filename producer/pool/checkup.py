"""Each number of the account, or one, and whether it can send: read from the carrier row by row, judged, handed on.

Memory holds the profiles and the registrations, never the list of numbers.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from producer.pool.members import rules
from volley.carrier import alphanumeric_api, numbers_api, profiles_api, short_codes_api
from volley.carrier.alphanumeric import is_alphanumeric
from volley.carrier.api import TelnyxApi
from volley.carrier.capability import Subject
from volley.carrier.edge import Profile
from volley.carrier.readiness import Readiness, absent, judge
from volley.carrier.registrations import Registrations, registrations, registrations_of
from volley.errors import UnusableInput
from volley.settings import Settings

_SHORTEST_NUMBER = 9
"""Digits; what is shorter and has no plus is a short code."""


async def checkup(api: TelnyxApi, settings: Settings, *, profile_id: str = "") -> AsyncGenerator[Readiness, None]:
    """All numbers, short codes and alphanumeric IDs of the account, or those of a profile.

    Raises:
        UnusableInput: no such profile, or a refused key.
        TryAgainLater: the carrier is away.
    """
    profiles = await _profiles(api, profile_id)
    registered = await registrations(api)
    ours = rules(settings)
    rows: tuple[AsyncIterator[Subject], ...] = (
        numbers_api.numbers(api, profile_id),
        short_codes_api.short_codes(api, profile_id),
        alphanumeric_api.alphanumeric_ids(api, profile_id),
    )
    for kind in rows:
        async for row in kind:
            held = profiles.get(row.messaging_profile_id or profile_id)
            yield judge(row, held, registered, ours, asked=profile_id)


async def examine(api: TelnyxApi, settings: Settings, sender: str, *, profile_id: str = "") -> list[Readiness]:
    """One number, short code or alphanumeric ID; an ID may be registered on several profiles.

    What is in none of the account's lists is judged too.

    Raises:
        UnusableInput: no such profile, a refused key, or no name.
        TryAgainLater: the carrier is away.
    """
    name = _spelled(sender)
    if not name:
        raise UnusableInput("which number? write +E.164, a short code or an alphanumeric ID, or none for all")
    if profile_id:
        await profiles_api.profile(api, profile_id)
    rows = await _rows(api, name, profile_id)
    if not rows:
        return [absent(name)]
    registered = await registrations_of(api, name) if name.startswith("+") else Registrations()
    ours = rules(settings)
    return [
        judge(row, await _profile(api, row.messaging_profile_id), registered, ours, asked=profile_id) for row in rows
    ]


def document(found: Readiness) -> dict[str, Any]:
    """`reach` is `*`, `US,CA`, `!US` (everywhere else) or empty (nowhere)."""
    return {
        "number": found.number,
        "type": found.type,
        "country": found.country or None,
        "ready": found.ready,
        "reach": found.reach,
        "mms": found.mms,
        "fallback": found.fallback or None,
        "campaigns": list(found.campaign),
        "findings": [
            {"cause": each.cause, "blocking": each.blocking, "says": each.says, "remedy": each.remedy}
            for each in found.findings
        ],
    }


async def _profiles(api: TelnyxApi, profile_id: str) -> Mapping[str, Profile]:
    if profile_id:
        return {profile_id: await profiles_api.profile(api, profile_id)}
    return {each.id: each async for each in profiles_api.profiles(api)}


async def _profile(api: TelnyxApi, profile_id: str | None) -> Profile | None:
    try:
        return await profiles_api.profile(api, profile_id) if profile_id else None
    except UnusableInput:
        return None


async def _rows(api: TelnyxApi, name: str, profile_id: str) -> list[Subject]:
    if is_alphanumeric(name):
        registered = await alphanumeric_api.find(api, name)
        return [row for row in registered if row.messaging_profile_id == profile_id] or [*registered]
    if not name.startswith("+"):
        code = await short_codes_api.find(api, name)
        return [] if code is None else [code]
    return [*(await numbers_api.find(api, [name])).values()]


def _spelled(sender: str) -> str:
    """A number as the carrier writes it; spaces and dashes are for people."""
    name = sender.strip()
    if is_alphanumeric(name):
        return name
    plain = name.translate({ord(mark): None for mark in " ()-./"})
    return plain if plain.startswith("+") or len(plain) < _SHORTEST_NUMBER else f"+{plain}"
