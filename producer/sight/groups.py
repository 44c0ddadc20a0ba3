"""Registered campaigns: a rate and a rest that all their senders share, and what that holds up. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from producer.sight.causes import Cause, Held, clock, timed
from producer.sight.looking import Seen, Stop
from producer.sight.pools import Member, Pool, Pools

_SHARED_ID = "@"
_TOLD = 3


def called(group: str) -> str:
    """In words. What begins with @ is an alphanumeric ID that several profiles have."""
    if group.startswith(_SHARED_ID):
        return f"the ID {group[1:]} of several profiles"
    return f"the registered campaign {group}"


class Shared(NamedTuple):
    """A registered campaign, as those wait who go through it: parts/s, infinite without a limit, and its rest where it has one."""

    name: str
    rate: float
    rest: Stop | None


def shared(member: Member | None, pools: Pools, seen: Seen) -> Shared | None:
    """That of a sender, where it is in one."""
    group = member.sender.group if member else ""
    if not group:
        return None
    stop = seen.stops.get(f"g{group}")
    rest = stop if stop and stop.until_us > seen.now_us else None
    return Shared(group, float(pools.groups.get(group, "inf")), rest)


def narrow(pool: Pool, pools: Pools) -> list[str]:
    """Registered campaigns whose limit is below what their senders in the pool would make, the narrowest first."""
    sums: dict[str, float] = {}
    for member in pool.members:
        if member.pooled and member.sender.group in pools.groups:
            sums[member.sender.group] = sums.get(member.sender.group, 0.0) + member.sender.rate_milli / 1000
    under = {group: float(pools.groups[group]) / rate for group, rate in sums.items() if pools.groups[group] < rate}
    return sorted(under, key=lambda group: (under[group], group))


def limits(pool: Pool, pools: Pools, number: str | None) -> Iterator[tuple[str, str, float]]:
    """(cause, in words, parts/s) of what registered campaigns let through of a push: those of the pool, or that of its sender."""
    if number is not None:
        member = next((each for each in pool.members if each.sender.number == number), None)
        group = member.sender.group if member else ""
        if group in pools.groups:
            yield "group_rate", f"the {pools.groups[group]:g}/s of {called(group)}", float(pools.groups[group])
        return
    names = narrow(pool, pools) if pool.allowed_rate < pool.senders_rate else []
    if names:
        told = ", ".join(f"{called(name)} has {pools.groups[name]:g}/s" for name in names[:_TOLD])
        more = f" and {len(names) - _TOLD} more have little" if len(names) > _TOLD else ""
        rate = float(pool.allowed_rate)
        yield "group_rate", f"its pool of {pool_size(pool)} senders, {rate:g}/s, as {told}{more}", rate


def pool_size(pool: Pool) -> int:
    return sum(member.pooled and member.sender.type != "carrier_pool" for member in pool.members)


def rests(pool: Pool, seen: Seen, number: str | None, waiting: int) -> Iterator[Cause]:
    """Registered campaigns that rest. Where none of a push's senders is outside of them, nothing of it goes."""
    mine = [each for each in pool.members if each.pooled and number in (None, each.sender.number)]
    mine = [each for each in mine if number is not None or each.sender.type != "carrier_pool"]
    stops = {each.sender.group: seen.stops.get(f"g{each.sender.group}") for each in mine if each.sender.group}
    resting = {name: stop for name, stop in stops.items() if stop and stop.until_us > seen.now_us}
    all_of_it = bool(resting) and all(each.sender.group in resting for each in mine)
    for name, stop in sorted(resting.items()):
        senders = sum(each.sender.group == name for each in mine)
        until = clock(seen.now_us, (stop.until_us - seen.now_us) / 1e6)
        says = f"{called(name)} rests until {until} ({stop.reason}), and so do {senders} of {len(mine)} senders"
        yield Cause("rest" if all_of_it else "group_rest", says, waiting if all_of_it else 0)


def together(held: Sequence[tuple[Held, Shared | None]], now_us: int) -> Iterator[Cause]:
    """What waits for single senders that share a limit, where that ends later than any of them would alone."""
    sums: dict[Shared, list[Held]] = {}
    for each, group in held:
        if group is not None and group.rest is None and group.rate < float("inf"):
            sums.setdefault(group, []).append(each)
    for group, theirs in sums.items():
        parts, messages = sum(each.parts for each in theirs), sum(each.messages for each in theirs)
        alone_s = max(each.seconds if each.seconds is not None else 0.0 for each in theirs)
        if len(theirs) > 1 and parts / group.rate > alone_s:
            says = f"{messages:,} messages wait for {len(theirs)} senders of {called(group.name)}, {group.rate:g}/s together"
            yield timed("group_rate", says, messages, now_us, parts / group.rate, group.rate)
