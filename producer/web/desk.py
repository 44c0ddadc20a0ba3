"""One account as requests find it: its outbox, its ledger, its queue. Connections of its own, so that the webhooks' door never
waits for one that a request holds.
"""

import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.access.keys import ApiKey
from producer.push.withdrawing import Withdrawals
from producer.records import ledger, opened
from producer.sight.queues import queues
from producer.sight.sight import Sight
from producer.web.gather import Gather
from producer.web.heads import Heads
from producer.web.outflow import Seats
from producer.web.pushing import Busy, Slots
from producer.web.rejected import RejectsFolder
from producer.web.watchers import Watchers
from volley.campaign import Campaign
from volley.errors import TryAgainLater, UnusableInput
from volley.ledger.reader import Reader
from volley.outbox.opening import open_outbox
from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue, pool
from volley.outbox.views import ProfileView
from volley.settings import Settings

ANSWER_S = 15.0
"""How long one question to the ledger may take that somebody waits for."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a handler works with. `outbox` acts in the name of the key that asks.

    `engine` ends what takes longer than ANSWER_S; `exporting` is for what may take its time.
    `queue` is None where arq has no Redis of its own beside a Cluster: the sweeper wakes workers.
    """

    settings: Settings
    outbox: Outbox
    engine: AsyncEngine
    exporting: Reader
    queue: Queue | None
    sight: Sight
    slots: Slots
    rejects: RejectsFolder
    gather: Gather
    busy: Busy = field(default_factory=Busy)
    withdrawals: Withdrawals = field(default_factory=Withdrawals)
    heads: Heads = field(default_factory=Heads)
    watchers: Watchers = field(default_factory=Watchers)
    streams: Seats = field(default_factory=lambda: Seats(100, "streams of events"))
    exports: Seats = field(default_factory=lambda: Seats(10, "exports"))

    @property
    def reader(self) -> Reader:
        return Reader(self.engine)

    def of(self, who: ApiKey) -> Self:
        """The same desk, where what is done is recorded as this key's."""
        return replace(self, outbox=self.outbox.by(f"api:{who.id} {who.name}"))

    async def arm(self, campaign: Campaign) -> None:
        """Wakes a worker for a campaign that can go now. If that fails, the sweeper finds it within seconds."""
        await _arm(self.queue, campaign)

    async def profiles(self, names: Collection[str]) -> dict[str, ProfileView]:
        """The queues of these profiles, as the snapshot has them."""
        return await queues(self.sight, self.outbox, names)


@contextlib.asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """Raises UnusableInput or TryAgainLater where Redis or the ledger cannot be used."""
    outbox = await open_outbox(settings)
    queue = _queue(settings, outbox)
    try:
        async with ledger(settings) as patient, opened(settings, ANSWER_S) as engine:
            desk = _laid(settings, outbox, engine, Reader(patient), queue)
            try:
                yield desk
            finally:
                await desk.gather.close()
                await desk.withdrawals.close()
    finally:
        if queue is not None:
            await queue.close()
        await outbox.redis.aclose()


def _laid(settings: Settings, outbox: Outbox, engine: AsyncEngine, exporting: Reader, queue: Queue | None) -> Desk:
    return Desk(
        settings,
        outbox,
        engine,
        exporting,
        queue,
        Sight(outbox, settings.account),
        Slots(settings.api_pushes),
        RejectsFolder(settings.home, settings.account, settings.retention_days),
        Gather(outbox, settings, partial(_arm, queue)),
    )


async def _arm(queue: Queue | None, campaign: Campaign) -> None:
    if queue is not None:
        with contextlib.suppress(TryAgainLater, RedisError):
            await queue.arm(campaign.id, campaign.priority)


def _queue(settings: Settings, outbox: Outbox) -> Queue | None:
    try:
        return Queue(pool(settings.queue_url), outbox, settings.account)
    except UnusableInput:
        return None
