"""A campaign's budget in Redis: the price of a part as lua/budget.lua has it, and what had been spent before there was a budget."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.numbers import country
from volley.outbox.chunks import Chunk, decode
from volley.outbox.scripts import Scripts
from volley.prefixes import by_prefix

CHARGED: Final = "s?a"
"""States of messages that are paid for, or may have to be."""
_PAGE = 50


def packed(prices: Mapping[str, int]) -> str:
    """Micro-units of a part by country: one number where all are alike, else by leading digits."""
    known = {home: price for home, price in prices.items() if price >= 0}
    common = Counter(known.values()).most_common(1)
    if len(set(known.values())) <= 1:
        return str(common[0][0]) if common else ""
    others = {str(digit): common[0][0] for digit in range(1, 10)}
    table = others | by_prefix(lambda home: known.get(home, common[0][0]), common[0][0])
    return " ".join(f"{prefix}={price}" for prefix, price in sorted(table.items()))


def prices_in(chunk: Chunk) -> dict[str, int]:
    """What its estimates say that a part costs, by country."""
    rows = zip(chunk.to, chunk.estimates, chunk.parts, strict=True)
    return {country(to): micros // parts for to, micros, parts in rows if micros >= 0}


def charged(chunk: Chunk, states: str) -> int:
    """Micro-units of those of its messages that are paid for, by their estimates."""
    rows = zip(chunk.estimates, states, strict=True)
    return sum(max(0, micros) for micros, state in rows if state in CHARGED)


async def begin_first(scripts: Scripts, campaign_id: str) -> None:
    """Where it is the campaign's first one, and nobody has counted yet: it stands still until what it has spent is known."""
    client, key = scripts.client, scripts.keys.campaign(campaign_id)
    turn, meta = await client.hget(key, "bn"), await client.hget(key, "meta")
    if turn is not None and meta is not None:
        await begin(scripts, Campaign.from_json(meta), turn)


async def begin(scripts: Scripts, campaign: Campaign, turn: bytes) -> None:
    """What a campaign had spent when it got its first budget; it stands still meanwhile. Of chunks that are gone, which are over, their
    number times an average message. Nothing comes of it once the campaign has got another budget: that is another `turn`.

    Raises:
        UnusableInput: the price of some of its messages is not known.
    """
    client, keys = scripts.client, scripts.keys
    micros, seen = 0, 0
    for at in range(0, campaign.chunks, _PAGE):
        indexes = range(at, min(at + _PAGE, campaign.chunks))
        blobs = await client.mget([keys.chunk(campaign.id, k) for k in indexes])
        states = await client.mget([keys.states(campaign.id, k) for k in indexes])
        for blob, text in zip(blobs, states, strict=True):
            if blob and text:
                micros += charged(decode(blob), text.decode())
                seen += sum(text.decode().count(state) for state in CHARGED)
    fields = await client.hgetall(keys.campaign(campaign.id))
    counted = sum(int(fields.get(b"n" + state.encode(), 0)) for state in CHARGED)
    micros += max(0, counted - seen) * campaign.estimated_micros // max(1, campaign.accepted)
    await scripts.durable("spent", campaign.id, "", micros, turn)


def check_priced(campaign: Campaign, prices: bytes | None) -> None:
    """Raises UnusableInput where a budget could not be kept."""
    if campaign.unpriced or not prices:
        why = (
            f"the price of {campaign.unpriced} of its messages is not known"
            if campaign.unpriced
            else "its prices are not known"
        )
        raise UnusableInput(
            f"campaign {campaign.id} can have no budget: {why}; pause it in time, or push what is left anew"
        )
