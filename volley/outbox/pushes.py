"""A push on its way to being a campaign: the arguments of lua/seal.lua, or why it cannot become one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from volley.campaign import Campaign
from volley.errors import KeyTaken, TryAgainLater, UnusableInput
from volley.outbox import budget, hours, terms
from volley.outbox.chunks import decode
from volley.outbox.client import Redis
from volley.outbox.flights import refs
from volley.outbox.keys import Keys, sender_field
from volley.outbox.scripts import Call, Scripts
from volley.prefixes import by_prefix


class Places(NamedTuple):
    """What a push is told by country (ISO alpha-2): to which of them its fallback sends and not its sender, and the price of a part."""

    refused: Sequence[str] = ()
    prices: Mapping[str, int] = {}


class Chunk(NamedTuple):
    """A packed chunk of a push that is stored together with the seal: one step to Redis for both."""

    number: int
    blob: bytes
    messages: int


class Together(NamedTuple):
    """What is done in the very step that seals: `action` is recorded; `last`, a chunk, is stored, and goes into lanes where it is all
    there is (pins of the last `pin_days` hold)."""

    action: bytes = b""
    last: Chunk | None = None
    pin_days: int = 0


class Sealed(NamedTuple):
    """`existing`: the idempotency key had this campaign already, and nothing new was made. `in_hand`: its messages are in lanes, and
    a drain takes from them: nobody need be woken."""

    campaign_id: str
    existing: bool
    in_hand: bool = False


class Claimed(TryAgainLater):
    """`key`, one of those that were to be claimed with the campaign, is in use: nothing was made."""

    def __init__(self, key: str) -> None:
        super().__init__("an idempotency key of this push is in use: push again")
        self.key = key


Bounds = tuple[int, int]
"""Entries of the ledger's stream, and percent of Redis' memory, above which nothing more is taken."""


def admitting(campaign_id: str, chunk: Chunk, bounds: Bounds) -> Call:
    """lua/admit.lua for one chunk."""
    return ("admit", campaign_id, *chunk, *bounds)


def planning(campaign_id: str, index: int, packed_refs: bytes, pin_days: int) -> Call:
    """lua/plan.lua for one chunk."""
    return ("plan", campaign_id, index, packed_refs, pin_days)


async def seal(
    scripts: Scripts,
    campaign: Campaign,
    key_ttl_s: int,
    places: Places,
    bounds: Bounds,
    together: Together,
) -> Sealed:
    """The push becomes a campaign, or its chunks go. Raises as Outbox.seal does."""
    prices = budget.packed(places.prices)
    arguments = await sealing(
        scripts.client, scripts.keys, campaign, key_ttl_s, places.refused, campaign.profile, prices
    )
    await hours.before_seal(scripts, campaign)
    words = (*arguments, packed(campaign.claims), together.action, bounds[1])
    before, after = _around(campaign, together, bounds)
    answers = await scripts.durable_all(*before, ("seal", *words), *after)
    answer, name = answers[len(before)]
    if answer == b"gone" and before:
        # why the chunk is not there; only here, as what was sealed by a lost answer admits none, and is sealed
        check(*answers[0])
    check(answer, name)
    if answer != b"sealed":
        await scripts.run("abandon", campaign.id)
    if answer == b"conflict":
        raise KeyTaken(f"this idempotency key belongs to campaign {name.decode()}, whose content is another one")
    if answer == b"unknown":
        raise unknown_profile(campaign.profile)
    if answer == b"taken":
        raise Claimed(name.decode())
    return Sealed(
        name.decode(), answer == b"existing", in_hand=any(planned[4] for planned in answers[len(before) + 1 :])
    )


def _around(campaign: Campaign, together: Together, bounds: Bounds) -> tuple[list[Call], list[Call]]:
    """What runs before the seal, and behind it. A campaign that waits for something of its own is planned by a worker."""
    last = together.last
    if last is None:
        return [], []
    waits = campaign.chunks > 1 or terms.of_campaign(campaign)
    found = (
        [] if waits else [planning(campaign.id, last.number, refs(last.number, decode(last.blob)), together.pin_days)]
    )
    return [admitting(campaign.id, last, bounds)], found


def packed(claims: Sequence[tuple[str, str]]) -> bytes:
    return orjson.dumps(dict(claims)) if claims else b""


async def find_key(scripts: Scripts, idempotency_key: str) -> tuple[str, str] | None:
    """(campaign id, what is kept behind it: the content hash of a push) of a key that was used, once that is on the disk."""
    held = await scripts.client.get(scripts.keys.of("once", idempotency_key))
    if held is None:
        return None
    await scripts.durable("told")
    campaign_id, _, kept = held.decode().partition(" ")
    return campaign_id, kept


async def as_pushed(client: Redis, keys: Keys, campaign_id: str) -> Campaign | None:
    """A campaign with the terms of its push, whatever has been changed since; None where it is not kept any more."""
    meta = await client.hget(keys.campaign(campaign_id), "meta")
    return None if meta is None else Campaign.from_json(meta)


def unknown_profile(profile: str) -> UnusableInput:
    return UnusableInput(f"profile {profile} is not known: run volley numbers sync --profile {profile}")


def check(answer: bytes, percent: bytes | int = 0) -> None:
    """Raises TryAgainLater where admit or seal took nothing."""
    if answer == b"behind":
        raise TryAgainLater(
            "the ledger is behind: see that volley serve runs and its database is there, then push again"
        )
    if answer == b"full":
        raise TryAgainLater(
            f"Redis memory is {int(percent)} % full, and nothing of this push was kept: give it more (maxmemory), or push again"
            " when more of what it holds has been sent; sending goes on"
        )
    if answer == b"gone":
        raise TryAgainLater("this push is over: it was given up after an hour without a chunk, or sealed; push again")


async def sealing(
    client: Redis,
    keys: Keys,
    campaign: Campaign,
    key_ttl_s: int,
    refused: Sequence[str],
    profile: str | bytes,
    prices: str = "",
) -> tuple[str | bytes | int, ...]:
    """`profile`: its id for seal, which looks for its index itself; its index for rebuild.

    Raises UnusableInput where its sender or its fallback is not known.
    """
    return (
        campaign.id,
        campaign.to_json(),
        campaign.idempotency_key,
        campaign.content_hash,
        key_ttl_s,
        campaign.accepted,
        campaign.chunks,
        campaign.weight,
        profile,
        campaign.priority[0],
        campaign.expires_us,
        await _index(client, keys, "sender", campaign.sender, campaign.profile),
        await _fallback(client, keys, campaign, frozenset(refused)),
        "1" if campaign.media else "",
        campaign.on_unknown[0],
        terms.of_campaign(campaign),
        prices,
    )


async def known(client: Redis, keys: Keys, profile: str) -> bytes:
    """A profile's index. Raises UnusableInput where it has none."""
    index = await client.hget(keys.of("profile"), profile)
    if index is None:
        raise unknown_profile(profile)
    return index


async def _fallback(client: Redis, keys: Keys, campaign: Campaign, refused: frozenset[str]) -> str:
    """The fallback's index and where it sends, for lua/lanes.lua; '' where it has nothing to do."""
    index = await _index(client, keys, "fallback", campaign.fallback, campaign.profile)
    if not index or not campaign.sender:
        return ""
    table = by_prefix(lambda country: country in refused, False)
    if not table:
        return ""
    return " ".join([index, *(f"{prefix}={value:d}" for prefix, value in sorted(table.items()))])


async def _index(client: Redis, keys: Keys, what: str, number: str | None, profile: str) -> str:
    """A sender's index; '' where none is named."""
    if number is None:
        return ""
    info = await client.hget(keys.of("senderinfo"), sender_field(number, profile))
    held = {} if info is None else orjson.loads(info)
    if held.get("profile") != profile:
        raise UnusableInput(
            f"{what} {number} is not in the pool of {profile}: see volley numbers list, or run volley numbers sync"
        )
    return str(held["index"])
