"""What never changes of campaigns, read some at a time."""

from collections.abc import Sequence

from volley.campaign import Campaign
from volley.outbox.outbox import Outbox

_PAGE = 50


async def metas(outbox: Outbox, names: Sequence[str]) -> dict[str, Campaign]:
    """Of those that Redis has. Redis errors pass through."""
    found: dict[str, Campaign] = {}
    for at in range(0, len(names), _PAGE):
        page = names[at : at + _PAGE]
        pipeline = outbox.redis.pipeline(transaction=False)
        for name in page:
            pipeline.execute_command("HGET", outbox.keys.campaign(name), "meta")
        held = zip(page, await pipeline.execute(), strict=True)
        found |= {name: Campaign.from_json(meta) for name, meta in held if meta}
    return found
