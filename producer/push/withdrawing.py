"""Withdrawals that are under way in this process: one of each campaign at a time, however many ask for it. Nobody waits for the end of
a long one: it goes on, and the campaign's counts tell how far it is.
"""

import asyncio
import logging
from functools import partial

from producer.push.withdrawal import Withdrawal, withdraw_all
from volley.campaign import Campaign
from volley.ending import ended
from volley.outbox.outbox import Outbox
from volley.settings import Settings

log = logging.getLogger(__name__)

PATIENCE_S = 20.0


class Withdrawals:
    """One an account. What is under way when it is closed ends there, and is begun anew by whoever asks again."""

    def __init__(self) -> None:
        self._going: dict[str, asyncio.Task[Withdrawal]] = {}

    async def withdraw(self, settings: Settings, outbox: Outbox, campaign: Campaign) -> Withdrawal | None:
        """What came of it; None where it goes on after PATIENCE_S. Raises as `withdraw_all` does."""
        going = self._going.get(campaign.id)
        if going is None:
            going = self._going[campaign.id] = asyncio.create_task(withdraw_all(settings, outbox, campaign))
            going.add_done_callback(partial(self._over, campaign.id))
        done, _ = await asyncio.wait({going}, timeout=PATIENCE_S)
        return going.result() if done else None

    def _over(self, campaign_id: str, task: asyncio.Task[Withdrawal]) -> None:
        del self._going[campaign_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("campaign %s is not withdrawn to its end (%s): cancel again", campaign_id, type(error).__name__)

    async def close(self) -> None:
        await ended(list(self._going.values()))
