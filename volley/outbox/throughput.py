"""How fast a pool can go, start to end: what its classes, its profile and its account make together."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from volley.outbox.classes import ANY, Dealt, label
from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.sender import Sender

_NONE: Mapping[str, Decimal] = {}

_ON_ITS_OWN: frozenset[str] = frozenset({"alphanumeric", "carrier_pool"})
"""They serve what names them; alphanumeric ones also countries whose route does."""


def effective(
    weights: Mapping[str, int],
    senders: Iterable[Sender],
    limits: Iterable[Decimal] = (),
    groups: Mapping[str, Decimal] = _NONE,
) -> Decimal:
    """Parts per second from the first part of a large push to its last.

    New people are dealt to the classes by weight, however slow a class is: with its share the slowest class ends last,
    and when it does is what counts. People who are pinned stay with their sender; they are not known here. Classes of one
    type share its people by their rates and end together, so it is types that are looked at. Without weights all senders count.
    `groups`: parts per second of registered campaigns, which all their senders have together.
    """
    shares: Counter[str] = Counter()
    for name, weight in (weights or {ANY: 1}).items():
        if weight:
            shares[label(name)] += weight
    total = sum(shares.values())
    alone: Counter[tuple[str, str]] = Counter()
    for sender in senders:
        if not weights or not (sender.kept or sender.type in _ON_ITS_OWN - shares.keys()):
            alone[sender.type if sender.type in shares else ANY, sender.group] += sender.rate_milli
    made: Counter[str] = Counter()
    for (kind, group), rate_milli in alone.items():
        made[kind] += min(rate_milli, int(groups[group] * 1000)) if group in groups else rate_milli
    whole = (Decimal(made[kind] * total) / (1000 * weight) for kind, weight in shares.items())
    return min([*whole, *limits])


def group_rates(rates: Mapping[bytes, bytes]) -> dict[str, Decimal]:
    """Parts per second by registered campaign, of the hash `rates`."""
    return {name[1:].decode(): Decimal(int(value)) / 1000 for name, value in rates.items() if name[:1] == b"g"}


def own_rate(sender: Sender, groups: Mapping[str, Decimal]) -> float:
    """Parts per second of a sender that sends alone."""
    return min(sender.rate_milli / 1000, float(groups.get(sender.group, "inf")))


def seconds(parts: float | Decimal, rate: float | Decimal) -> float | None:
    """How long that takes; None where nothing moves."""
    if parts <= 0:
        return 0.0
    return float(parts) / float(rate) if rate > 0 else None


async def weights(client: Redis, keys: Keys, profile_index: int) -> dict[str, int]:
    """The classes of a profile to which new people are dealt, and their weights."""
    held = await client.hget(keys.of("classes"), str(profile_index)) or b"any 1"
    return {name: weight for name, weight in Dealt(held.decode(), "").weights.items() if weight}
