"""A profile's numbers and settings, from the carrier into Redis, with the rates that our own settings give them.

What is not ready is out of the pool, with its reason; readiness is judged in one place (volley/carrier/readiness.py).
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from producer.carrier import carrier
from producer.pool.facts import facts
from producer.pool.members import Members, members
from producer.pool.roster import Roster, enrolled
from volley.carrier.codes import SPEND_LIMIT_CODE
from volley.carrier.readiness import Readiness
from volley.errors import UnusableInput
from volley.money import amount
from volley.outbox import rests
from volley.outbox.outbox import Outbox
from volley.outbox.throughput import effective
from volley.profile import ProfileFacts
from volley.rates import Rates
from volley.sender import Sender, carrier_pool
from volley.settings import Settings

_SHORT_US = 60_000_000
"""Rests that end sooner are left to end."""


class EmptyPool(UnusableInput):
    """No number of the profile can send; our pool of it is stored as just that."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync came to. `rate` is what the usable numbers make together; `allowed` what a push to new people may reach:
    under the limits of account and profile, and with the class that ends last with its share. `kept` numbers serve the
    people who are pinned to them and nobody else. `warnings` counts the causes that block nothing. `lifted`: why the profile
    rested until now; "" where it did not, or still does.
    """

    profile: str
    numbers: int
    usable: int
    kept: int
    joined: int
    left: int
    rate: float
    allowed: float
    weights: dict[str, int]
    warnings: dict[str, int]
    lifted: str
    facts: ProfileFacts
    not_ready: tuple[Readiness, ...]

    def as_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__ if name not in ("facts", "not_ready")}
        return plain | {
            "profile_settings": profile_settings(self.facts),
            "deviations": list(self.facts.deviations),
            "not_ready": [
                {"number": each.number, "reason": each.reason, "remedy": each.blocking[0].remedy}
                for each in self.not_ready
            ],
        }


def profile_settings(of: ProfileFacts) -> dict[str, Any]:
    """What our pool follows, as JSON has it."""
    limit = of.spend_limit_micros
    return {
        "name": of.name,
        "enabled": of.enabled,
        "destinations": list(of.destinations),
        "sticky": of.sticky,
        "geomatch": of.geomatch,
        "skip_unhealthy": of.skip_unhealthy,
        "smart_encoding": of.smart_encoding,
        "mobile_only": of.mobile_only,
        "daily_spend_limit": None if limit is None else {"amount": amount(limit), "currency": "USD"},
        "mms_fall_back_to_sms": of.mms_fall_back_to_sms,
        "mms_transcoding": of.mms_transcoding,
        "alpha_sender": of.alpha_sender or None,
    }


async def sync(settings: Settings, outbox: Outbox, profile_id: str) -> Synced:
    """Reads the pool of a profile and makes Redis hold exactly that.

    Raises:
        EmptyPool: no number in it can send.
        UnusableInput: no API key or a refused one, or no such profile.
        TryAgainLater: the carrier or Redis is away.
    """
    rates = settings.current.rates
    async with carrier(settings.current) as api:
        found = await members(api, profile_id, settings)
    enlisted = enrolled(found, settings, rates)
    if not found.judged and await outbox.profile_index(profile_id) is None:
        raise _empty(found)
    known, held = facts(found.profile, settings, now_us=time.time_ns() // 1000), await outbox.facts(profile_id)
    joined, left = await _store(outbox, found, enlisted, known, settings)
    if not enlisted.usable and not enlisted.kept:
        raise _empty(found)
    lifted = await _lift(outbox, profile_id, limit_raised=_raised(held, known))
    return Synced(
        profile=profile_id,
        numbers=len(found.judged),
        usable=len(enlisted.usable),
        kept=len(enlisted.kept),
        joined=joined,
        left=left,
        rate=sum(sender.rate_milli for sender in enlisted.usable) / 1000,
        allowed=round(_allowed(profile_id, enlisted.usable, rates, await outbox.weights(profile_id)), 3),
        weights={str(kind): weight for kind, weight in (found.profile.weights or {}).items()},
        warnings=warnings(found.judged),
        lifted=lifted,
        facts=known,
        not_ready=enlisted.not_ready,
    )


def warnings(judged: Sequence[Readiness]) -> dict[str, int]:
    """How many numbers have each finding that blocks nothing, the most frequent first."""
    causes = Counter(each.cause for found in judged for each in found.findings if not each.blocking)
    return dict(causes.most_common())


async def _store(
    outbox: Outbox, found: Members, enlisted: Roster, known: ProfileFacts, settings: Settings
) -> tuple[int, int]:
    profile, rates = found.profile, settings.current.rates
    pool = carrier_pool(profile.id)
    new = pool not in {view.sender.number for view in await outbox.senders(profile.id)}
    joined, left = await outbox.sync_senders(
        profile.id, enlisted.senders, profile.weights, facts=known, routes=settings.routes
    )
    await outbox.set_rates(rates.account, rates.profile, mms=rates.account_mms, campaigns=rates.campaign)
    return joined - new, left


async def _lift(outbox: Outbox, profile: str, *, limit_raised: bool) -> str:
    """A profile that can send again need not wait for the end of a long rest. If the carrier still says no, it rests anew, and
    what was tried stays ready. A spent limit comes back at midnight, unless it was raised.
    """
    index, later_us = await outbox.profile_index(profile), time.time_ns() // 1000 + _SHORT_US
    for rest in await outbox.rests():
        mine = (rest.what, rest.name) == ("profile", profile) and rest.until_us > later_us
        if mine and index is not None and (limit_raised or not rest.reason.startswith(SPEND_LIMIT_CODE)):
            return rest.reason if await rests.lift(outbox.scripts, index) else ""
    return ""


def _raised(before: ProfileFacts | None, now: ProfileFacts) -> bool:
    limit, held = now.spend_limit_micros, before.spend_limit_micros if before else None
    return limit is None or (held is not None and limit > held)


def _allowed(profile_id: str, usable: Sequence[Sender], rates: Rates, weights: Mapping[str, int]) -> float:
    limits = [rates.account, rates.profile.get(profile_id, rates.account)]
    return float(effective(weights, usable, limits, rates.campaign))


def _empty(found: Members) -> EmptyPool:
    profile = found.profile.id
    if not found.judged:
        return EmptyPool(
            f"the pool of profile {profile} is empty: it has no numbers; assign numbers to it (volley numbers assign), then sync again"
        )
    first = next((each.blocking[0] for each in found.judged if each.blocking), None)
    why = f"({first.says}): {first.remedy}" if first else ""
    return EmptyPool(
        f"the pool of profile {profile} is empty: none of its {len(found.judged)} numbers can send {why};"
        f" volley numbers doctor --profile {profile} tells of each"
    )
