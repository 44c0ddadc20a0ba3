"""Gathers the facts: at most once a second, once however many ask, and outside the workers, so that it outlives them."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import NamedTuple, TypeVar

from redis.exceptions import RedisError

from producer.sight import fleet, pools, portrait
from producer.sight.documents import moment
from producer.sight.facts import Facts, Point, PoolFacts, SenderFacts, SpendFacts
from producer.sight.gathered import Gathered
from producer.sight.history import EVERY_S, History, point
from producer.sight.looking import Seen, look
from producer.sight.metas import metas
from producer.sight.pools import NO_POOL, Pools, Used
from producer.sight.portrait import Standing, standing
from producer.sight.standstill import left_aside, reasons, surprises
from producer.sight.totals import Totals
from producer.sight.waiting import waits
from volley import __version__
from volley.campaign import Campaign
from volley.money import amount
from volley.outbox import depths, poison
from volley.outbox.outbox import Outbox
from volley.outbox.rests import RestView
from volley.outbox.scripts import reaching
from volley.outbox.views import CampaignView, ProfileView, campaign_view
from volley.outbox.workers import WorkerView

log = logging.getLogger(__name__)

FRESH_S = 1.0
_SHARE, _LONGEST_S, _LEAST_SHARE = 50, 10.0, 4
"""A snapshot is kept for so many times what it took, where that is longer: with very many campaigns watching gets slower, not dearer.
For 10 s at most, as a machine that is merely busy makes it take long too; where it takes more than allows that, four times as long."""
_RECENT = 1_000
_RECENT_S = 60.0
T = TypeVar("T")
_TURN = 50
"""Campaigns that are looked at before others who wait for this loop have their turn."""


async def _in_turns(each: Iterable[T]) -> AsyncIterator[T]:
    for number, one in enumerate(each, 1):
        yield one
        if number % _TURN == 0:
            await asyncio.sleep(0)


class Scene(NamedTuple):
    """What a snapshot was drawn from."""

    seen: Seen
    profiles: Mapping[str, ProfileView]
    everyone: Sequence[Standing]
    workers: Sequence[WorkerView]
    rests: Sequence[RestView]
    pools: Pools


class Sight:
    """One a process. `totals` and `history` follow what is gathered; `run` gathers on when nobody asks."""

    def __init__(self, outbox: Outbox, account: str) -> None:
        self._outbox = outbox
        self._account = account
        self._facts: Facts | None = None
        self._scene: Scene | None = None
        self._at = float("-inf")
        self._took_s = 0.0
        self._one_at_a_time = asyncio.Lock()
        self._fixed: dict[str, Campaign] = {}
        self._depths: Mapping[str, depths.Depth] = {}
        self._views: Mapping[str, CampaignView] = {}
        self._over: dict[str, CampaignView] = {}
        self._live: set[str] = set()
        self._recent_due = 0.0
        self._pools = Pools()
        self._pools_due = 0.0
        self._used = Used()
        self._pool_facts: tuple[PoolFacts, ...] = ()
        self._sender_facts: tuple[SenderFacts, ...] = ()
        self.totals = Totals()
        self.history = History(outbox)
        self._gathered = Gathered(outbox, self.totals)

    @property
    def last(self) -> Facts | None:
        """The last snapshot, however old."""
        return self._facts

    def is_fresh(self, fresh_s: float = FRESH_S) -> bool:
        """Whether what was gathered last is new enough for who wants it no older than that, or dear enough to be kept."""
        dear_s = max(min(_SHARE * self._took_s, _LONGEST_S), _LEAST_SHARE * self._took_s)
        kept_s = max(fresh_s, dear_s) if fresh_s else 0.0
        return self._facts is not None and monotonic() - self._at < kept_s

    async def facts(self, fresh_s: float = FRESH_S) -> Facts:
        """A snapshot that is at most so old; older only where gathering takes long. Raises TryAgainLater where Redis is away."""
        asked = monotonic()
        async with self._one_at_a_time:
            # what another has begun to gather meanwhile is as new
            if not self.is_fresh(fresh_s) and self._at - self._took_s < asked:
                began = monotonic()
                with reaching():
                    self._facts = await self._gather()
                self._at = monotonic()
                self._took_s = self._at - began
        assert self._facts is not None
        return self._facts

    async def scene(self, fresh_s: float = FRESH_S) -> Scene:
        """What the snapshot of `facts` is drawn from; 0: one of now. Raises TryAgainLater where Redis is away."""
        await self.facts(fresh_s)
        assert self._scene is not None
        return self._scene

    async def hours(self) -> Sequence[Point]:
        """How it stood over the last hours, the oldest first. Raises TryAgainLater where Redis is away and nothing is known."""
        if not self.history.points():
            with reaching():
                await self.history.read()
        return self.history.points()

    async def run(self) -> None:
        """Keeps the history until cancelled."""
        read = False
        while True:
            try:
                if not read:
                    await self.history.read()
                    read = True
                await self.history.add(point(await self.facts()))
            except RedisError as error:
                log.warning("the history waits for Redis: %s", type(error).__name__)
            except Exception as error:  # noqa: BLE001 - whoever watches must not end what serves
                log.warning("no facts were gathered: %s", type(error).__name__)
            await asyncio.sleep(EVERY_S)

    async def _gather(self) -> Facts:
        seen = await look(self._outbox)
        await self._look_at_senders(seen)
        everyone = await self._standings(seen)
        workers = await self._outbox.workers()
        numbers = {each.index: each.sender.number for each in self._pools.everyone()} if seen.stops else {}
        rests = fleet.rests(seen, numbers)
        held = self._profiles(seen, everyone)
        self._scene = Scene(
            seen, {name: profile for name, (profile, _) in held.items()}, everyone, workers, rests, self._pools
        )
        notes = [
            *reasons(
                [each.view for each in everyone if each.view.waiting or each.view.in_flight],
                workers,
                seen.ledger_entries,
                self._outbox.ledger_bound,
                rests,
                [profile for profile, _ in held.values()],
            ),
            *left_aside(await poison.set_aside(self._outbox.redis, self._outbox.keys)),
            *surprises(workers),
        ]
        return self._drawn(seen, everyone, held, workers, rests, notes)

    def _drawn(
        self,
        seen: Seen,
        everyone: Sequence[Standing],
        held: Mapping[str, tuple[ProfileView, list[Standing]]],
        workers: Sequence[WorkerView],
        rests: Sequence[RestView],
        notes: Sequence[str],
    ) -> Facts:
        dead = self._dead(everyone)
        queues = [portrait.queue(profile, mine, dead[name]) for name, (profile, mine) in held.items()]
        newest = sorted(everyone, key=portrait.first_shown)[: portrait.MOST_CAMPAIGNS]
        return Facts(
            at=moment(seen.now_us) or "",
            at_us=seen.now_us,
            account=self._account,
            version=__version__,
            total=portrait.total(queues, everyone, seen, sum(dead.values())),
            queues=tuple(sorted(queues, key=lambda queue: (-queue.ready, queue.profile))),
            campaigns=tuple(portrait.campaign(each, held[each.view.campaign.profile][0]) for each in newest),
            workers=tuple(fleet.worker(view) for view in workers),
            serves=tuple(fleet.serve(view) for view in seen.serves),
            pools=self._pool_facts,
            senders=self._sender_facts,
            circuit_open=seen.circuit is not None,
            rests=tuple(fleet.rest(rest, self._account) for rest in rests[: fleet.MOST_RESTS]),
            rests_more=max(0, len(rests) - fleet.MOST_RESTS),
            outcomes=tuple(fleet.outcomes(seen)),
            delivery_errors=tuple(fleet.delivery_errors(seen)),
            ledger=fleet.ledger(seen, self._outbox.ledger_bound),
            redis=fleet.redis(seen),
            spend=tuple(self._spend(everyone)),
            conservation=fleet.conservation(seen),
            notes=tuple(notes),
        )

    # campaigns

    async def _standings(self, seen: Seen) -> list[Standing]:
        """All live campaigns. Those that are over are read once more when they end, and the newest of them at the start."""
        recent = await self._recent()
        self._live |= seen.live.keys()  # until this look has counted them: it may fail
        await self._gathered.count(self._live, seen.now_us)
        ended = [name for name in (*self._live, *recent) if name not in seen.live and name not in self._over]
        looked = await depths.depths(self._outbox, [*seen.live, *dict.fromkeys(ended)], self._depths)
        self._fixed |= await metas(self._outbox, [name for name in looked if name not in self._fixed])
        resting = await depths.later(self._outbox, seen.now_us)
        known = [name for name in looked if name in self._fixed]
        views = {name: self._view(name, looked[name], seen) async for name in _in_turns(known)}
        self._depths, self._views = looked, views
        self._over = {name: view for name, view in self._over.items() if name not in seen.live}
        self._over |= {name: views[name] for name in ended if name in views}
        self.totals.add(views.values(), seen.now_us)
        self._live = set(seen.live)
        live = [(views[name], looked[name]) for name in seen.live if name in views]
        parked = await depths.parked(self._outbox, [view.campaign.id for view, _ in live if view.campaign.quiet_hours])
        found = []
        async for view, depth in _in_turns(live):
            name, fixed = view.campaign.id, view.campaign
            closed = resting.laid_by.get(name, 0) + parked.get(name, 0) * fixed.accepted // max(fixed.chunks, 1)
            found.append(standing(view, waits(view, depth, resting.retries.get(name, 0), closed, seen.now_us)))
        return found

    async def _recent(self) -> list[str]:
        """The newest campaigns, now and then; what is neither among them nor live is forgotten here."""
        if monotonic() < self._recent_due:
            return []
        self._recent_due = monotonic() + _RECENT_S
        newest = await self._outbox.redis.execute_command("ZREVRANGE", self._outbox.keys.campaigns, 0, _RECENT - 1)
        recent = [name.decode() for name in newest]
        kept = self._live.union(recent)
        self._over = {name: view for name, view in self._over.items() if name in kept}
        self._fixed = {name: fixed for name, fixed in self._fixed.items() if name in kept}
        self.totals.forget(kept)
        return recent

    def _view(self, name: str, depth: depths.Depth, seen: Seen) -> CampaignView:
        asleep_us, known = seen.asleep.get(name, 0), self._views.get(name)
        if known is None or depth is not self._depths.get(name):
            known = campaign_view(depth.fields, seen.live.get(name, 0), self._fixed[name])
        return known if known.asleep_us == asleep_us else replace(known, asleep_us=asleep_us)

    def _dead(self, everyone: Sequence[Standing]) -> Counter[str]:
        found: Counter[str] = Counter()
        for view in (*(each.view for each in everyone), *self._over.values()):
            found[view.campaign.profile] += view.counts["dead"]
        return found

    # the rest

    def _profiles(self, seen: Seen, everyone: Sequence[Standing]) -> dict[str, tuple[ProfileView, list[Standing]]]:
        mine = portrait.by_profile(everyone)
        names = dict.fromkeys([*seen.profiles, *mine])
        return {
            name: (
                portrait.profile_view(name, seen, self._pools.of.get(name, NO_POOL), mine.get(name, [])),
                mine.get(name, []),
            )
            for name in names
        }

    async def _look_at_senders(self, seen: Seen) -> None:
        stale = monotonic() >= self._pools_due or bool(seen.profiles.keys() - self._pools.of.keys())
        if stale:
            await self._pools.read(self._outbox, seen.profiles, seen.rates)
            self._pools_due = monotonic() + pools.SENDERS_S
        if seen.now_us >= self._used.due_us or stale:
            await self._used.look(self._outbox, seen.now_us)
            pins = self._pools.pins
            self._pool_facts = tuple(fleet.pools(self._pools.of.values(), self._used, pins, seen))
            members = fleet.shown(self._pools.of.values(), self._used, seen)
            self._sender_facts = tuple(fleet.sender(member, self._used, pins, seen) for member in members)

    def _spend(self, everyone: Sequence[Standing]) -> list[SpendFacts]:
        views = [*(each.view for each in everyone), *self._over.values()]
        spent: Counter[str] = Counter()
        for view in views:
            spent[view.campaign.currency] += portrait.spent_micros(view)
        return [self._spent_in(currency, micros, everyone) for currency, micros in sorted(spent.items())]

    def _spent_in(self, currency: str, micros: int, everyone: Sequence[Standing]) -> SpendFacts:
        held = [each.view for each in everyone if each.view.campaign.currency == currency]
        budgets = [view for view in held if view.budget_left_micros is not None]
        return SpendFacts(
            currency,
            self.totals.per_minute(currency),
            amount(micros),
            micros,
            sum(view.campaign.budget_micros for view in budgets),
            sum(view.budget_left_micros or 0 for view in budgets),
        )
