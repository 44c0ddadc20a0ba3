"""A profile's numbers, from the carrier into Redis, with the rates that the settings give them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from volley.carrier.api import TelnyxApi
from volley.carrier.edge import Profile
from volley.carrier.numbers_api import senders as all_senders
from volley.carrier.profiles_api import profile as read_profile
from volley.errors import UnusableInput
from volley.outbox.outbox import Outbox
from volley.outbox.throughput import effective
from volley.sender import Sender
from volley.settings import Account, Rates, Settings


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync came to. `rate` is what the usable numbers make together; `allowed` what a push to new people may reach:
    under the limits of account and profile, and with the class that ends last with its share.
    """

    profile: str
    numbers: int
    usable: int
    joined: int
    left: int
    rate: float
    allowed: float
    weights: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


async def sync(settings: Settings, outbox: Outbox, profile_id: str) -> Synced:
    """Reads the pool of a profile and makes Redis hold exactly that.

    Raises:
        UnusableInput: no API key or a refused one, no such profile, or no number in it that can send.
        TryAgainLater: the carrier or Redis is away.
    """
    account = settings.current
    profile, found = await _read(account, profile_id)
    senders = [_rated(sender, profile, account.rates) for sender in found]
    if not senders and await outbox.profile_index(profile_id) is None:
        raise _empty(profile_id, senders)
    joined, left = await outbox.sync_senders(profile_id, senders, profile.weights)
    await outbox.set_rates(account.rates.account, account.rates.profile)
    usable = [sender for sender in senders if sender.active]
    if not usable:
        raise _empty(profile_id, senders)
    return Synced(
        profile=profile_id,
        numbers=len(senders),
        usable=len(usable),
        joined=joined,
        left=left,
        rate=sum(sender.rate_milli for sender in usable) / 1000,
        allowed=round(_allowed(profile_id, usable, account.rates, await outbox.weights(profile_id)), 3),
        weights={str(kind): weight for kind, weight in (profile.weights or {}).items()},
    )


async def _read(account: Account, profile_id: str) -> tuple[Profile, list[Sender]]:
    if account.api_key is None:
        raise UnusableInput("no API key: set TELNYX_API_KEY")
    async with TelnyxApi(account.api_key.get_secret_value(), account.base_url) as api:
        profile = await read_profile(api, profile_id)
        return profile, await all_senders(api, profile)


def _rated(sender: Sender, profile: Profile, rates: Rates) -> Sender:
    rated = replace(sender, rate_milli=max(int(rates.of(sender.number, sender.type) * 1000), 1))
    return rated if profile.enabled else replace(rated, active=False, reason="the profile is disabled at the carrier")


def _allowed(profile_id: str, usable: Sequence[Sender], rates: Rates, weights: Mapping[str, int]) -> float:
    return float(effective(weights, usable, [rates.account, rates.profile.get(profile_id, rates.account)]))


def _empty(profile_id: str, senders: Sequence[Sender]) -> UnusableInput:
    why = f"none of its {len(senders)} numbers can send ({senders[0].reason})" if senders else "it has no numbers"
    return UnusableInput(
        f"the pool of profile {profile_id} is empty: {why}; assign numbers at the carrier, then sync again"
    )
