"""Planning: a campaign's chunks into lanes, far enough ahead that no sender idles and no further."""

import logging

from volley.outbox.flights import refs
from volley.outbox.outbox import Outbox
from worker.texts import Texts

log = logging.getLogger(__name__)

MOST_CHUNKS = 20
"""In one job; the drain asks again when lanes run low."""


async def plan(outbox: Outbox, texts: Texts, campaign_id: str, *, enough: int, most: int = MOST_CHUNKS) -> int:
    """Plans chunks until `enough` messages wait in the campaign's lanes: at least one, at most `most`.

    How many were planned. A campaign that is unknown, over, or planned to its end by somebody else is left as it is.
    """
    view = await outbox.campaign(campaign_id)
    if view is None or view.state not in ("ready", "paused"):
        await outbox.chores.done(f"plan:{campaign_id}")
        return 0
    index, planned, picks = view.planned_chunks, 0, bool(view.terms)
    while planned < most:
        if picks:
            index = await outbox.dispatch.following(campaign_id)
        if not 0 <= index < view.campaign.chunks:
            break
        chunk = await texts.chunk(campaign_id, index)
        if chunk is None:
            log.error("campaign %s: chunk %d is gone", campaign_id, index)
            break
        done, index, _, waiting = await outbox.dispatch.plan(campaign_id, index, refs(index, chunk))
        planned += done
        if not done or waiting >= enough:
            break
    await outbox.chores.done(f"plan:{campaign_id}")
    return planned
