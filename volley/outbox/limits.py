"""Campaigns that have a budget, or limits at which they pause themselves: which they are, and what is learnt of them."""

from volley.outbox import budget, views
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching

_LETTERS = frozenset(b"bfo")


async def bounded(outbox: Outbox) -> list[views.CampaignView]:
    """Those that are going on. A word is read of all others."""
    client, keys = outbox.redis, outbox.keys
    with reaching():
        names = [name.decode() for name in await client.zrange(keys.of("live"), 0, -1)]
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.execute_command("HGET", keys.campaign(name), "po")
        terms = await pipeline.execute() if names else []
        mine = [name for name, letters in zip(names, terms, strict=True) if _LETTERS & set(letters or b"")]
        found = [await views.campaign(client, keys, name) for name in mine]
    return [view for view in found if view is not None]


async def cost_differs(outbox: Outbox, campaign_id: str, micros: int) -> None:
    """What the carrier asked for is by so much more than what was estimated: the budget is reckoned with that from now on."""
    with reaching():
        await outbox.scripts.run("spent", campaign_id, micros, "", "")


async def counted(outbox: Outbox, campaign_id: str) -> None:
    """Whoever gave a campaign its first budget may have died before it was known what had been spent: else it would stand still."""
    with reaching():
        await budget.begin_first(outbox.scripts, campaign_id)


async def judge_from(outbox: Outbox, campaign_id: str, tally: str) -> None:
    """A campaign that was resumed is judged by what comes after this."""
    with reaching():
        await outbox.redis.hset(outbox.keys.campaign(campaign_id), mapping={"ab": tally})
