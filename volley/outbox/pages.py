"""Long lists of the outbox, a page at a time: read by plain commands, changing nothing."""

from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.outbox.scripts import reaching
from volley.outbox.views import CampaignView, campaign_view


async def campaigns(
    client: Redis, keys: Keys, most: int, before_us: int | None
) -> tuple[list[CampaignView], int | None]:
    """So many campaigns that were sealed before a moment (None: up to now), newest first; and the moment of the next page. None of
    those that gathered messages were made of: there may be many a second.

    Campaigns sealed in the same microsecond stay on one page.
    """
    with reaching():
        return await _campaigns(client, keys, most, "+inf" if before_us is None else f"({before_us}")


async def _campaigns(client: Redis, keys: Keys, most: int, ends: str) -> tuple[list[CampaignView], int | None]:
    found: list[bytes] = await client.execute_command(
        "ZRANGE", keys.campaigns, ends, "-inf", "BYSCORE", "REV", "LIMIT", 0, most, "WITHSCORES"
    )
    if len(found) == 2 * most:
        last = int(float(found[-1]))
        alike: list[bytes] = await client.execute_command("ZRANGE", keys.campaigns, last, last, "BYSCORE", "WITHSCORES")
        known = set(found[::2])
        found += [each for at in range(0, len(alike), 2) if alike[at] not in known for each in alike[at : at + 2]]
    pipeline = client.pipeline(transaction=False)
    for name in found[::2]:
        pipeline.hgetall(keys.campaign(name.decode()))
    fields = await pipeline.execute()
    views = [campaign_view(f, int(float(s))) for f, s in zip(fields, found[1::2], strict=True) if f]
    return views, int(float(found[-1])) if len(found) >= 2 * most else None
