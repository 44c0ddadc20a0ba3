"""Campaigns as documents, with what the ledger knows laid over what Redis counts. Without its database they are as Redis has them."""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from producer.sight import documents
from producer.sight.documents import Document, Recorded
from volley.errors import TryAgainLater
from volley.ledger.engine import is_away
from volley.ledger.reader import Reader
from volley.outbox import poison
from volley.outbox.outbox import Outbox
from volley.outbox.views import CampaignView, ProfileView

ANSWER_S = 2.0
"""How long somebody who looks at campaigns waits for the ledger."""


async def listed(reader: Reader, views: Sequence[CampaignView], profiles: Mapping[str, ProfileView]) -> list[Document]:
    """Of these campaigns, in their order."""
    counted = await recorded(reader, [view.campaign.id for view in views])
    return [documents.laid_over(view, profiles[view.campaign.profile], counted) for view in views]


async def going_on(outbox: Outbox, reader: Reader, view: CampaignView, profile: ProfileView) -> Document:
    """One that Redis holds, with what of it was set aside."""
    counted = await recorded(reader, [view.campaign.id])
    aside = await poison.set_aside(outbox.redis, outbox.keys, view.campaign.id)
    return documents.laid_over(view, profile, counted) | {"set_aside": [documents.set_aside(each) for each in aside]}


async def past(reader: Reader, campaign_id: str) -> Document:
    """One that the ledger alone remembers. Raises UnusableInput where it does not."""
    facts = await reader.campaign(campaign_id)
    return documents.past_campaign(facts, await reader.campaign_report(campaign_id)) | {
        "set_aside": [],
        "ledger_answered": True,
    }


async def recorded(reader: Reader, campaign_ids: Sequence[str]) -> dict[str, Recorded] | None:
    """What the ledger has counted and added up. None where it is away, or takes long, as these documents are about what is going on now."""
    asking = asyncio.ensure_future(_recorded(reader, campaign_ids))
    # not `asyncio.timeout`: a driver whose server does not answer may take as long to give up as to ask
    done, _ = await asyncio.wait({asking}, timeout=ANSWER_S)
    if not done:
        asking.cancel()
        asking.add_done_callback(_over)
        return None
    return asking.result()


async def _recorded(reader: Reader, campaign_ids: Sequence[str]) -> dict[str, Recorded] | None:
    try:
        counted, spent = await reader.status_counts(campaign_ids), await reader.spent(campaign_ids)
    except TryAgainLater:
        return None
    except (SQLAlchemyError, OSError) as error:
        if is_away(error):
            return None
        raise
    return {name: Recorded(counted.get(name, {}), spent.get(name, {})) for name in campaign_ids}


def _over(asked: asyncio.Future[dict[str, Recorded] | None]) -> None:
    """Nobody waits for it any more: what it raises is said nowhere."""
    if not asked.cancelled():
        asked.exception()
