"""Messaging profiles as people ask for them, on their way to the carrier: what they want is checked before anything is sent."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from producer.pool.named import alphanumeric
from volley.carrier import alphanumeric_api, numbers_api, profiles_api, short_codes_api
from volley.carrier.api import TelnyxApi
from volley.carrier.edge import PoolSettings, Profile
from volley.errors import UnusableInput
from volley.numbers import known_region

_LONGEST_URL = 2000
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
_POOL = ("long_code_weight", "toll_free_weight", "skip_unhealthy", "sticky_sender", "geomatch")
_ADDRESSES = ("webhook_url", "webhook_failover_url")
_AS_THEY_ARE = ("enabled", "smart_encoding", "mobile_only", "mms_fall_back_to_sms", "mms_transcoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a profile is to be; None is not given and stays as it is. An empty URL or alpha_sender takes it away.

    `destinations` are ISO 3166-1 alpha-2, or `*`; `spend_limit` is US dollars a day; `pool` False switches Telnyx's number
    pool off, the five settings behind it belong to the pool and switch it on.
    """

    name: str | None = None
    destinations: tuple[str, ...] = ()
    enabled: bool | None = None
    webhook_url: str | None = None
    webhook_failover_url: str | None = None
    pool: bool | None = None
    long_code_weight: float | None = None
    toll_free_weight: float | None = None
    skip_unhealthy: bool | None = None
    sticky_sender: bool | None = None
    geomatch: bool | None = None
    spend_limit: str | None = None
    spend_limited: bool | None = None
    smart_encoding: bool | None = None
    mobile_only: bool | None = None
    mms_fall_back_to_sms: bool | None = None
    mms_transcoding: bool | None = None
    alpha_sender: str | None = None

    @property
    def about_pool(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _POOL if getattr(self, name) is not None}

    @property
    def wants_pool(self) -> bool:
        return self.pool is True or bool(self.about_pool)


def wishes(given: Mapping[str, Any]) -> Wishes:
    """From options that are named as the wishes are; others are passed over."""
    known = {name: given[name] for name in Wishes.__slots__ if name in given}
    return Wishes(**known | {"destinations": tuple(given.get("destinations") or ())})


def settings_of(wishes: Wishes) -> dict[str, object]:
    """What was wished for, for the audit log. Of addresses only that they are given: they may hold keys."""
    given = {name: getattr(wishes, name) for name in Wishes.__slots__}
    return {
        name: ("…" if name in _ADDRESSES and value else value)
        for name, value in given.items()
        if value not in (None, ())
    }


async def listed(api: TelnyxApi, contains: str = "") -> list[dict[str, Any]]:
    """All profiles of the account."""
    return [document(row) async for row in profiles_api.profiles(api, contains=contains)]


async def shown(api: TelnyxApi, profile_id: str) -> dict[str, Any]:
    """One profile, and `senders`: how many of each type it has."""
    profile = await profiles_api.profile(api, profile_id)
    return document(profile) | {"senders": await counts(api, profile_id)}


async def create(api: TelnyxApi, wishes: Wishes) -> Profile:
    """Raises UnusableInput for wishes that cannot be, before the carrier is asked."""
    if not wishes.name:
        raise UnusableInput("a profile needs a name: --name")
    if not wishes.destinations:
        raise UnusableInput(
            "a profile sends only where it may: --destination US (again for more), or --destination '*'"
        )
    return await profiles_api.create(api, fields(wishes, None))


async def update(api: TelnyxApi, profile_id: str, wishes: Wishes) -> Profile:
    """Only what is given changes. Of the pool's settings the carrier wants all or none, so that they are read first."""
    wanted = fields(wishes, None)
    if not wanted:
        raise UnusableInput("nothing to change: say what, as in --sticky (see volley profiles update --help)")
    if wishes.wants_pool:
        wanted = fields(wishes, (await profiles_api.profile(api, profile_id)).pool)
    return await profiles_api.update(api, profile_id, wanted)


async def counts(api: TelnyxApi, profile_id: str) -> dict[str, int]:
    """How many senders of each type hang on a profile."""
    found: Counter[str] = Counter()
    async for number in numbers_api.numbers(api, profile_id):
        found[number.kind] += 1
    codes = {code.short_code async for code in short_codes_api.short_codes(api, profile_id)}
    found["short_code"] = max(found["short_code"], len(codes))
    found["alphanumeric"] = len([0 async for _ in alphanumeric_api.alphanumeric_ids(api, profile_id)])
    return {kind: count for kind, count in found.items() if count}


def document(profile: Profile) -> dict[str, Any]:
    """Every field under Telnyx's name, with `profile_id` first as all our documents have it."""
    return {"profile_id": profile.id, **profile.model_dump(mode="json", by_alias=True, exclude={"id", "record_type"})}


def fields(wishes: Wishes, pool: PoolSettings | None) -> dict[str, Any]:
    """The wishes as a request, with Telnyx's names; `pool` are the settings that hold today.

    Raises:
        UnusableInput: says which option cannot be and how it is written.
    """
    wanted: dict[str, Any] = {} if wishes.name is None else {"name": _name(wishes.name)}
    if wishes.destinations:
        wanted["whitelisted_destinations"] = _destinations(wishes.destinations)
    for name, option in (("webhook_url", "--webhook-url"), ("webhook_failover_url", "--failover-url")):
        if (url := getattr(wishes, name)) is not None:
            wanted[name] = _url(url, option)
    wanted |= {name: value for name in _AS_THEY_ARE if (value := getattr(wishes, name)) is not None}
    if wishes.alpha_sender is not None:
        wanted["alpha_sender"] = _alpha_sender(wishes.alpha_sender)
    return wanted | _spending(wishes) | _pooling(wishes, pool)


def _name(name: str) -> str:
    if not name.strip():
        raise UnusableInput("--name is empty")
    return name


def _destinations(given: tuple[str, ...]) -> list[str]:
    listed = [each.strip() for group in given for each in group.split(",")]
    if "*" in listed:
        return ["*"]
    return list(dict.fromkeys(known_region(each) for each in listed))


def _url(url: str, option: str) -> str:
    if url and not _is_address(url):
        raise UnusableInput(f"{option} is no address: write https://sms.example.com/webhooks/telnyx/default")
    if len(url) > _LONGEST_URL:
        raise UnusableInput(f"{option} has {len(url):,} characters; the carrier takes {_LONGEST_URL:,}")
    return url


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url


def _alpha_sender(name: str) -> str | None:
    if name and not alphanumeric(name):
        raise UnusableInput("--alpha-sender is 1 to 11 letters, digits and spaces, at least one of them a letter")
    return name or None


def _spending(wishes: Wishes) -> dict[str, Any]:
    if wishes.spend_limit is not None and wishes.spend_limited is False:
        raise UnusableInput("--spend-limit and --no-spend-limit: one of them")
    if wishes.spend_limit is None:
        return {} if wishes.spend_limited is None else {"daily_spend_limit_enabled": wishes.spend_limited}
    if not _AMOUNT.fullmatch(wishes.spend_limit):
        raise UnusableInput(f"--spend-limit {wishes.spend_limit[:20]!r} is no amount in US dollars: write 50 or 49.90")
    return {"daily_spend_limit": wishes.spend_limit, "daily_spend_limit_enabled": True}


def _pooling(wishes: Wishes, pool: PoolSettings | None) -> dict[str, Any]:
    given = wishes.about_pool
    if wishes.pool is False:
        if given:
            raise UnusableInput(f"--no-pool, and {', '.join(sorted(given))}: a pool that is off has no settings")
        return {"number_pool_settings": None}
    if not wishes.wants_pool:
        return {}
    whole = (pool or PoolSettings()).model_dump() | given
    weights = (whole["long_code_weight"], whole["toll_free_weight"])
    if any(not math.isfinite(weight) or weight < 0 for weight in weights) or not any(weights):
        raise UnusableInput("weights are 0 or more, and one of them more than 0 (without a pool: --no-pool)")
    return {"number_pool_settings": whole}
