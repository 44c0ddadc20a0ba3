"""Any order of anything: after each step every message is in exactly one place and the sums hold."""

import asyncio
from typing import Any

import redis.asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.redis.conftest import PROFILE, Rig, chunk_of, people, receipt, sender
from tests.redis.test_routes import british
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, NOT_SPENT, OTHER_SENDER, Flight, Grant, refs
from volley.outbox.outbox import Outbox
from volley.state import MOVES_ARG

SENDERS = 3
PEOPLE = 6
FLAGS = [0, NO_ATTEMPT, NO_ATTEMPT | AT_HEAD, NOT_SPENT, OTHER_SENDER]
pick = st.integers(0, 1_000_000)


class Life(RuleBasedStateMachine):
    """Some campaigns to the same few people through the same few senders."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.client = redis.asyncio.Redis.from_url(self.url)
        self.rig = Rig(Outbox(self.client, "test"))
        self.campaigns: list[Campaign] = []
        self.planned: dict[str, int] = {}
        self.flights: list[Flight] = []
        self.out: set[tuple[str, int, int]] = set()
        self.last: dict[tuple[str, int, int], Grant] = {}

    def do(self, act: Any) -> Any:
        return self.loop.run_until_complete(act)

    def teardown(self) -> None:
        self.do(self.client.aclose())
        self.loop.close()

    def one(self, n: int) -> Campaign | None:
        return self.campaigns[n % len(self.campaigns)] if self.campaigns else None

    @initialize(classes=st.booleans())
    def begin(self, classes: bool) -> None:
        self.do(self.client.flushall())
        self.join(classes, 0, ["*"] * SENDERS, 0, True, False)
        self.do(self.rig.rate("a", 100_000))
        self.do(self.rig.rate("m", 100_000))

    @rule(
        sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
        urgent=st.booleans(),
        named=st.booleans(),
        mms=st.booleans(),
        policy=st.sampled_from(["hold", "retry", "give-up"]),
    )
    def push(self, sizes: list[int], urgent: bool, named: bool, mms: bool, policy: str) -> None:
        chunks = [chunk_of([*people(n, k), *british(1, k)]) for k, n in enumerate(sizes)]
        asked: dict[str, Any] = {"priority": "urgent" if urgent else "bulk", "media": ("https://a.b/c",) if mms else ()}
        asked["on_unknown"] = policy
        if named:
            asked |= {"sender": sender(0).number, "fallback": sender(1).number, "refused": ("GB",)}
        self.campaigns.append(self.do(self.rig.push(*chunks, plan=False, **asked)))
        self.sizes = getattr(self, "sizes", {}) | {self.campaigns[-1].id: chunks}

    @rule(n=pick)
    def plan(self, n: int) -> None:
        if campaign := self.one(n):
            at = self.planned.get(campaign.id, 0)
            if at < campaign.chunks:
                self.planned[campaign.id] = at + self.do(self.rig.plan(campaign, at, self.sizes[campaign.id][at]))

    @rule(want=st.integers(1, 9), overdue=st.booleans())
    def take(self, want: int, overdue: bool) -> None:
        flight = self.do(self.rig.take(want, life_s=-1.0 if overdue else 60.0))
        for grant in flight.grants:
            place = (grant.campaign, grant.chunk, grant.offset)
            assert place not in self.out, "granted while it may be on its way"
            self.out.add(place)
            self.last[place] = grant
            assert self.may_serve(grant), "granted to a sender that may not send there"
        if flight.grants:
            self.flights.append(flight)

    @rule(n=pick)
    def lose(self, n: int) -> None:
        """What comes of this in one go: planned, taken, and no answer to most of it."""
        self.push([4], False, False, False, ["hold", "retry", "give-up"][n % 3])
        self.plan(len(self.campaigns) - 1)
        self.take(9, False)
        self.settle(len(self.flights) - 1, "?", n | 1, 0, False)

    @rule(want=st.integers(1, 9), overdue=st.booleans(), honoured=st.booleans())
    def ask_again(self, want: int, overdue: bool, honoured: bool) -> None:
        self.do(self.rig.look_now())
        flight = self.do(self.rig.repeat(want, honoured=honoured, life_s=-1.0 if overdue else 60.0))
        for grant in flight.grants:
            first = self.last[grant.campaign, grant.chunk, grant.offset]
            assert (grant.sender, grant.generation, grant.to) == (first.sender, first.generation, first.to)
            campaign = next(each for each in self.campaigns if each.id == grant.campaign)
            assert honoured or campaign.on_unknown == "retry"
            assert self.do(self.rig.outbox.campaign(campaign.id)).state in ("ready", "finished")
        if flight.grants:
            self.flights.append(flight)

    @rule(after_s=st.sampled_from([0, 86_400]))
    def give_up(self, after_s: int) -> None:
        self.do(self.rig.outbox.chores.give_up(after_s * 1_000_000, 5))

    def may_serve(self, grant: Grant) -> bool:
        campaign = next(each for each in self.campaigns if each.id == grant.campaign)
        home = "GB" if grant.to in british(PEOPLE) else "US"
        if campaign.sender:
            return grant.sender == (2 if home == "GB" else 1)
        return self.reaches[grant.sender - 1] in ("*", home)

    @rule(n=pick, state=st.sampled_from("a.x?oz"), some=pick, flags=st.sampled_from(FLAGS), waits=st.booleans())
    def settle(self, n: int, state: str, some: int, flags: int, waits: bool) -> None:
        if not self.flights:
            return
        flight = self.flights[n % len(self.flights)]
        chosen = [g.position for g in flight.grants if some >> g.position & 1]
        if chosen:
            mask = self.do(self.rig.settle(flight, state, *chosen, flags=flags, delay_us=30_000_000 * waits))
            self.settled(flight, chosen, mask)

    def settled(self, flight: Flight, positions: list[int], mask: str) -> None:
        for position, now in zip(positions, mask, strict=True):
            grant = flight.grants[position]
            if now == ".":
                self.out.remove((grant.campaign, grant.chunk, grant.offset))

    @rule(n=pick)
    def release(self, n: int) -> None:
        if self.flights:
            flight = self.flights.pop(n % len(self.flights))
            before = self.do(self.rig.flying(*self.campaigns))
            self.do(self.rig.outbox.dispatch.release(flight.token))
            self.out -= set(before - self.do(self.rig.flying(*self.campaigns)))

    @rule()
    def reap(self) -> None:
        self.do(self.rig.outbox.chores.reap(50, -1_000_000))

    @rule(n=pick)
    def redrive(self, n: int) -> None:
        """What is dead was provably never sent: it may be granted once more."""
        if campaign := self.one(n):
            for k in range(campaign.chunks):
                before = self.do(self.rig.redis.get(self.rig.keys.states(campaign.id, k)))
                packed = refs(k, self.sizes[campaign.id][k])
                moved = self.do(self.rig.outbox.scripts.run("redrive", MOVES_ARG, campaign.id, k, 8, packed))
                if moved > 0:
                    self.out -= {(campaign.id, k, offset) for offset, state in enumerate(before) if state == ord("z")}

    @rule(n=pick, act=st.sampled_from(["pause", "resume", "cancel", "expire", "sweep a little"]))
    def control(self, n: int, act: str) -> None:
        if campaign := self.one(n):
            if act in ("pause", "resume"):
                self.do(self.rig.outbox.scripts.run("control", campaign.id, act[0]))
            elif act == "sweep a little":
                self.do(self.rig.outbox.scripts.run("sweep", MOVES_ARG, campaign.id, "c", 1))
            else:
                self.do(self.rig.outbox.sweep(campaign.id, act[0]))

    @rule(n=pick, chunk=st.integers(0, 3), offset=st.integers(0, 4))
    def hear(self, n: int, chunk: int, offset: int) -> None:
        if (campaign := self.one(n)) and (campaign.id, chunk, offset) in self.out:
            self.do(self.rig.outbox.apply_receipts([receipt(campaign.id, chunk, offset)]))

    @rule()
    def rests_end(self) -> None:
        """All that waits in `later` is due."""
        for member in self.do(self.client.zrange(self.rig.keys.of("later"), 0, -1)):
            self.do(self.client.zadd(self.rig.keys.of("later"), {member: 1}))

    @rule(
        classes=st.booleans(),
        absent=st.integers(0, SENDERS),
        reaches=st.lists(st.sampled_from(["*", "US", "GB"]), min_size=SENDERS, max_size=SENDERS),
        kept=st.integers(0, SENDERS),
        sticky=st.booleans(),
        geomatch=st.booleans(),
    )
    def join(self, classes: bool, absent: int, reaches: list[str], kept: int, sticky: bool, geomatch: bool) -> None:
        kinds = ["long_code", "toll_free", "toll_free"]
        there = [
            sender(n, 100_000, type=kinds[n], reach=reaches[n], kept=n == kept - 1)
            for n in range(SENDERS)
            if n != absent - 1
        ]
        weights = {"long_code": 1, "toll_free": 2} if classes else None
        self.do(self.rig.sync(there, weights, sticky=sticky, geomatch=geomatch))
        self.reaches = reaches

    @rule(n=st.integers(1, SENDERS), evicts=st.booleans())
    def rest(self, n: int, evicts: bool) -> None:
        until = self.do(self.rig.now_us()) + 1000
        self.do(self.rig.outbox.scripts.run("rest", f"s{n}", until, "why", 0 if evicts else 10**9))

    @rule()
    def wake(self) -> None:
        self.do(self.rig.outbox.chores.wake())

    @rule(most=st.integers(1, 5))
    def evict(self, most: int) -> None:
        for owner in self.do(self.rig.outbox.chores.evicted()):
            self.do(self.rig.outbox.chores.evict(owner, most))

    @rule(person=st.integers(0, PEOPLE))
    def opt_out(self, person: int) -> None:
        self.do(self.rig.outbox.add_optouts(PROFILE, people(1, person)))

    @invariant()
    def holds(self) -> None:
        self.do(self.rig.check(*self.campaigns))


def test_in_any_order_each_message_is_in_one_place(valkey: EmbeddedValkey) -> None:
    class Here(Life):
        url = valkey.url

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class LifeToItsEnd(Life):
    """Whatever happened: in the end all senders are back, nothing is paused, and what is ready is taken."""

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            super().teardown()

    def finish(self) -> None:
        self.join(True, 0, ["*"] * SENDERS, 0, True, False)
        for n, campaign in enumerate(self.campaigns):
            self.control(n, "resume")
            for _ in range(campaign.chunks):
                self.plan(n)
        for _ in range(30):
            self.rests_end()
            self.rest_of_the_pool()
            self.take(100, False)
        assert [campaign.id for campaign in self.campaigns if self.is_stuck(campaign)] == []

    def is_stuck(self, campaign: Campaign) -> bool:
        view = self.do(self.rig.outbox.campaign(campaign.id))
        return view.waiting > 0 and view.state not in ("cancelled", "expired")

    def rest_of_the_pool(self) -> None:
        self.do(asyncio.sleep(0.002))
        self.wake()
        self.evict(500)


def test_in_the_end_everything_that_may_go_has_gone(valkey: EmbeddedValkey) -> None:
    """After any history: with all senders back and nothing paused, each message that is ready is granted."""

    class Here(LifeToItsEnd):
        url = valkey.url

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
