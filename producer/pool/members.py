"""All that is assigned to a profile at the carrier, each one judged: can it send, and where."""

from dataclasses import dataclass

from volley.carrier.alphanumeric_api import alphanumeric_ids
from volley.carrier.api import TelnyxApi
from volley.carrier.capability import Subject, home_country
from volley.carrier.edge import Number, Profile
from volley.carrier.numbers_api import numbers
from volley.carrier.profiles_api import profile as read_profile
from volley.carrier.readiness import Readiness, Rules, judge
from volley.carrier.registrations import Registrations, registrations_among
from volley.carrier.short_codes_api import short_codes
from volley.settings import Settings


@dataclass(frozen=True, slots=True)
class Members:
    """A profile and what it has, each number, short code and alphanumeric ID once."""

    profile: Profile
    judged: tuple[Readiness, ...]


def rules(settings: Settings) -> Rules:
    """What of our own settings has a say in who can send where."""
    return Rules(settings.routes, settings.alphanumeric_refused)


async def members(api: TelnyxApi, profile_id: str, settings: Settings) -> Members:
    """Raises UnusableInput where there is no such profile, TryAgainLater where the carrier is away."""
    profile = await read_profile(api, profile_id)
    rows = await _rows(api, profile_id)
    registered = await _registrations(api, rows)
    ours = rules(settings)
    judged: dict[str, Readiness] = {}
    for row in rows:
        found = judge(row, profile, registered, ours, asked=profile_id)
        judged.setdefault(found.number, found)
    return Members(profile, tuple(judged.values()))


async def _rows(api: TelnyxApi, profile_id: str) -> list[Subject]:
    found: list[Subject] = [row async for row in numbers(api, profile_id)]
    found += [row async for row in short_codes(api, profile_id)]
    found += [row async for row in alphanumeric_ids(api, profile_id)]
    return found


async def _registrations(api: TelnyxApi, rows: list[Subject]) -> Registrations:
    held = [row for row in rows if isinstance(row, Number)]
    long_codes = [row.phone_number for row in held if row.kind == "long_code" and home_country(row) == "US"]
    toll_free = [row.phone_number for row in held if row.kind == "toll_free"]
    return await registrations_among(api, long_codes, toll_free)
