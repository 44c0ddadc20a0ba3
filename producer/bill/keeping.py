"""Keeps campaigns to what was asked of them, in `serve`: budgets are set right by what the carrier really asks for, and a campaign of
which too much fails, or whose people do not want it, is paused. Looks often, and at large campaigns no longer than a twentieth of the time.
"""

import asyncio
import logging
from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from volley.ledger import failing
from volley.outbox import limits
from volley.outbox.outbox import Outbox
from volley.outbox.views import CampaignView

log = logging.getLogger(__name__)

EVERY_S = 1.0
LEAST = 100
"""Messages that must have been tried before a ratio says anything."""
_REST = 20
_WHO = "volley"


class Tally(NamedTuple):
    """Messages: tried (the carrier answered), failed of them (refused, or not delivered), and people who said STOP to it."""

    tried: int
    failed: int
    opted_out: int

    def since(self, other: "Tally") -> "Tally":
        return Tally(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


def verdict(now: Tally, failures_ppm: int, opt_outs_ppm: int) -> str:
    """Why a campaign is to be paused; '' where it is not. Limits are parts per million of what was tried, 0 for none."""
    if now.tried < LEAST:
        return ""
    for count, limit, what in (
        (now.failed, failures_ppm, "failed"),
        (now.opted_out, opt_outs_ppm, "were answered with STOP"),
    ):
        if limit and count * 1_000_000 >= limit * now.tried:
            return f"{count} of {now.tried} messages {what}, and its limit is {limit / 10_000:g} %"
    return ""


class Keeping:
    """`look` is one round."""

    def __init__(self, outbox: Outbox, engine: AsyncEngine, *, every_s: float = EVERY_S) -> None:
        self._outbox = outbox.by(_WHO)
        self._engine = engine
        self._every_s = every_s

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            began = monotonic()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - the recorder and the webhooks beside it go on
                log.warning("budgets and limits were not looked at: %s", error)
            await asyncio.sleep(max(self._every_s, _REST * (monotonic() - began)))

    async def look(self) -> None:
        """Raises whatever Redis or the ledger raises."""
        views = await limits.bounded(self._outbox)
        if not views:
            return
        names = [view.campaign.id for view in views]
        async with self._engine.connect() as connection:
            heard = await failing.heard(connection, names)
            off = await failing.off_by(connection, [view.campaign.id for view in views if view.campaign.budget_micros])
        for view in views:
            if view.campaign.budget_micros:
                await limits.counted(self._outbox, view.campaign.id)
                await limits.cost_differs(self._outbox, view.campaign.id, off.get(view.campaign.id, 0))
            await self._judge(view, heard)

    async def _judge(self, view: CampaignView, heard: Mapping[str, failing.Heard]) -> None:
        campaign = view.campaign
        if view.state != "ready" or not (campaign.pause_on_failures_ppm or campaign.pause_on_opt_outs_ppm):
            return
        said, counts = heard.get(campaign.id, failing.Heard()), view.counts
        tried = counts["submitted"] + counts["refused"]
        now = Tally(tried, counts["refused"] + said.undelivered, said.stopped)
        if view.judged_from == "?":
            await limits.judge_from(self._outbox, campaign.id, " ".join(map(str, now)))
            return
        known = Tally(*map(int, view.judged_from.split())) if view.judged_from else Tally(0, 0, 0)
        before = Tally(*map(min, known, now))  # a retry makes what was tried, and failed, untried again
        if before != known:
            await limits.judge_from(self._outbox, campaign.id, " ".join(map(str, before)))
        why = verdict(now.since(before), campaign.pause_on_failures_ppm, campaign.pause_on_opt_outs_ppm)
        if why:
            await self._outbox.pause(campaign.id, why)
            log.warning("campaign %s is paused: %s", campaign.id, why)
