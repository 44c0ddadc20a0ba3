"""A campaign's own terms in Redis: as the scripts read them, changed while it runs, and as they are now."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from volley.campaign import Campaign, Priority
from volley.errors import UnusableInput
from volley.outbox import budget, hours
from volley.outbox.rests import moment
from volley.outbox.scripts import Scripts
from volley.terms import Changes, fields_of

_LETTERS: Final[Mapping[str, str]] = {
    "rate_milli": "r",
    "start_us": "t",
    "quiet_hours": "q",
    "budget_micros": "b",
    "pause_on_failures_ppm": "f",
    "pause_on_opt_outs_ppm": "o",
}
"""Fields of a Campaign and their letters in lua/terms.lua; a value of 0 or '' is none."""
_LIFTED: Final = {"q": hours.NONE}
FIELDS: Final = ("pr", "x", "po", "py", "ab", "bc", "bd", "bz", *("t" + letter for letter in _LETTERS.values()))
"""What of a campaign's hash `current` looks at."""
_PRIORITIES: Final[Mapping[bytes, Priority]] = {b"u": "urgent", b"b": "bulk"}
_OVER: Final[Mapping[bytes, str]] = {b"c": "cancelled", b"e": "expired"}


def packed(values: Mapping[str, Any], *, all_of_them: bool = False) -> str:
    """'letter=value …' of those that are there; of those that are not set too, if `all_of_them`, as they lift what there was."""
    pairs = [(letter, values[name]) for name, letter in _LETTERS.items() if name in values]
    return " ".join(f"{letter}={value or _LIFTED.get(letter, '')}" for letter, value in pairs if value or all_of_them)


def of_campaign(campaign: Campaign) -> str:
    """The terms of a campaign that is being sealed."""
    return packed({name: getattr(campaign, name) for name in _LETTERS})


async def change(scripts: Scripts, campaign_id: str, changes: Changes, action: bytes = b"") -> dict[str, Any]:
    """Changes what is named, on the disk before this returns; what has changed, as fields of a Campaign.

    Raises:
        UnusableInput: a value out of range, no such campaign, or it is over.
    """
    values = fields_of(changes)
    if not values:
        raise UnusableInput("nothing to change: name a rate, start, quiet hours, budget, limit, expiry or priority")
    if values.get("expires_us"):
        await _ahead(scripts, campaign_id, values["expires_us"])
    if "quiet_hours" in values:
        await _zoned(scripts, campaign_id, values)
    if values.get("budget_micros"):
        await _priced(scripts, campaign_id)
    terms = packed(values, all_of_them=True)
    priority = values.get("priority", "")[:1]
    told = orjson.dumps(values)
    state = await scripts.durable("change", campaign_id, terms, priority, values.get("expires_us", ""), told, action)
    if not state:
        raise UnusableInput(f"no campaign {campaign_id[:40]!r}: see volley campaigns")
    if state in _OVER:
        raise UnusableInput(f"campaign {campaign_id} is {_OVER[state]} and stays so")
    if "quiet_hours" in values:
        await _rouse(scripts, campaign_id)
        await hours.again(scripts, campaign_id)  # somebody else may have written other windows since
    if values.get("budget_micros"):
        await budget.begin_first(scripts, campaign_id)
    return values


async def _rouse(scripts: Scripts, campaign_id: str) -> None:
    """What was laid by for the hours of before is looked at anew. Where this is cut short the rest sleeps as long as it would have."""
    cursor = 0
    while True:
        cursor = int(await scripts.run("rouse", campaign_id, cursor))
        if not cursor:
            return


async def _ahead(scripts: Scripts, campaign_id: str, expires_us: int) -> None:
    """An expiry that is over would end it at once and for good, where a slip of the year or the time zone is likelier meant."""
    if expires_us <= await moment(scripts.client, 0):
        raise UnusableInput(
            f"that moment of expiry is over, and campaign {campaign_id[:40]} would end at once: choose a later one;"
            " to end it now, cancel it"
        )


async def _priced(scripts: Scripts, campaign_id: str) -> None:
    meta = await scripts.client.hget(scripts.keys.campaign(campaign_id), "meta")
    if meta is not None:
        prices = await scripts.client.hget(scripts.keys.campaign(campaign_id), "pp")
        budget.check_priced(Campaign.from_json(meta), prices)


async def _zoned(scripts: Scripts, campaign_id: str, values: dict[str, Any]) -> None:
    """The windows come first, so that nothing goes by hours that nobody has reckoned; of one that was pushed without, its zones too."""
    client, keys = scripts.client, scripts.keys
    meta = await client.hget(keys.campaign(campaign_id), "meta")
    quiet = values["quiet_hours"]
    if not quiet and await client.hget(keys.of("hours", campaign_id), "zones") is None:
        del values["quiet_hours"]  # there were none
        return
    if meta is None:
        return
    groups, of_chunks = await hours.zones(client, keys, Campaign.from_json(meta))
    if quiet:
        seconds, _ = await client.time()
        hours.check_open(quiet, groups, int(seconds))
    if of_chunks:
        values |= {"zones": groups, "chunk_zones": of_chunks}
    await hours.reckon(scripts, campaign_id, quiet, groups, of_chunks)


def current(campaign: Campaign, fields: Mapping[bytes, bytes]) -> Campaign:
    """A campaign with its terms as they are now; `fields` are those of its hash in Redis."""
    now: dict[str, Any] = {"priority": _PRIORITIES[fields[b"pr"]], "expires_us": int(fields[b"x"])}
    if b"po" in fields or campaign.has_terms:
        now |= {name: _value(name, fields.get(b"t" + letter.encode())) for name, letter in _LETTERS.items()}
    same = all(getattr(campaign, name) == value for name, value in now.items())
    return campaign if same else replace(campaign, **now)


def _value(name: str, text: bytes | None) -> int | str:
    if name != "quiet_hours":
        return int(text or 0)
    return "" if text in (None, hours.NONE.encode()) else text.decode()
