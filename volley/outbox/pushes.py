"""A push on its way to being a campaign: the arguments of lua/seal.lua, or why it cannot become one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from volley.campaign import Campaign
from volley.errors import KeyTaken, TryAgainLater, UnusableInput
from volley.outbox import budget, hours, terms
from volley.outbox.client import Redis
from volley.outbox.keys import Keys, sender_field
from volley.outbox.scripts import Call, Scripts
from volley.prefixes import by_prefix


class Places(NamedTuple):
    """What a push is told by country (ISO alpha-2): to which of them its fallback sends and not its sender, and the price of a part."""

    refused: Sequence[str] = ()
    prices: Mapping[str, int] = {}


class Chunk(NamedTuple):
    """A packed chunk of a push. Where it is stored by the seal: its messages as refs too, for what goes into lanes at once."""

    number: int
    blob: bytes
    messages: int
    refs: bytes = b""


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
    return ("admit", campaign_id, chunk.number, chunk.blob, chunk.messages, *bounds)


def planning(campaign_id: str, index: int, refs: bytes, pin_days: int) -> Call:
    """lua/plan.lua for one chunk, whose messages are `refs`."""
    return ("plan", campaign_id, index, refs, pin_days)


def _whole(campaign: Campaign, chunk: Chunk) -> bool:
    """Whether it may go into lanes in the step that seals it: it is all of its campaign, which waits for nothing of its own."""
    return campaign.chunks == 1 and bool(chunk.refs) and not terms.of_campaign(campaign)


async def seal(
    scripts: Scripts,
    campaign: Campaign,
    key_ttl_s: int,
    places: Places,
    action: bytes,
    bounds: Bounds,
    last: Chunk | None = None,
    pin_days: int = 0,
) -> Sealed:
    """The push becomes a campaign, or its chunks go. `last` is stored in the same step, and goes into lanes where it is all there is.

    Raises as Outbox.seal does.
    """
    prices = budget.packed(places.prices)
    arguments = await sealing(
        scripts.client, scripts.keys, campaign, key_ttl_s, places.refused, campaign.profile, prices
    )
    await hours.before_seal(scripts, campaign)
    words = (*arguments, packed(campaign.claims), action, bounds[1])
    calls: list[Call] = [("seal", *words)]
    if last is not None:
        calls.insert(0, admitting(campaign.id, last, bounds))
        if _whole(campaign, last):
            calls.append(planning(campaign.id, last.number, last.refs, pin_days))
    answers = await scripts.durable_all(*calls)
    answer, name = answers[0 if last is None else 1]
    if last is not None and answer == b"gone":
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
    planned = answers[2:]
    return Sealed(name.decode(), answer == b"existing", in_hand=bool(planned) and bool(planned[0][4]))


def packed(claims: Sequence[tuple[str, str]]) -> bytes:
    return orjson.dumps(dict(claims)) if claims else b""


async def find_key(client: Redis, keys: Keys, idempotency_key: str) -> tuple[str, str] | None:
    """(campaign id, content hash) of a key that was used."""
    held = await client.get(keys.of("once", idempotency_key))
    if held is None:
        return None
    campaign_id, content_hash = held.decode().split(" ", 1)
    return campaign_id, content_hash


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
