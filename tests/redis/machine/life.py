"""All rules together, and misfortune: the server restarts, loses power, and workers tell it what it may have forgotten."""

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.redis.machine.people import People
from tests.redis.machine.pooling import Pooling
from tests.redis.machine.pushing import POLICIES, SIZES, Pushing
from tests.redis.machine.sending import Sending
from tests.redis.machine.stage import SENDERS, WORKERS, act, acts, pick
from tests.redis.machine.terms import Terms


class Acts(Pushing, Sending, People, Pooling, Terms):
    """Some campaigns to the same few people through the same few senders, on a server that may stop at any moment."""

    @act(2, kept=st.floats(0, 1))
    def lose_power(self, kept: float) -> None:
        self.do(self.client.connection_pool.disconnect())
        before = self.server.written()
        self.do(self.server.lose_power(kept))
        self.happened["lost power"] += 1
        self.happened["lost writes"] += self.server.written() < before

    @initialize(
        sizes=SIZES,
        urgent=st.booleans(),
        named=st.booleans(),
        classes=st.booleans(),
        honours=st.sampled_from([True, True, False]),
        policy=st.sampled_from(POLICIES),
    )
    def begin(self, sizes: list[int], urgent: bool, named: bool, classes: bool, honours: bool, policy: str) -> None:
        self.truth.honours_keys = honours
        self.do(self.client.flushall())
        self.do(self.rig.rate("a", 100_000))
        self.do(self.rig.rate("m", 100_000))
        self.join(classes, 0, ["*"] * SENDERS, 0, True, False)
        self.push([*sizes, 8], urgent, named, False, policy=policy)
        for _ in sizes:
            self.plan(0)
        self.hold_ends()

    @act(2, owner=st.integers(0, WORKERS - 1), want=st.integers(1, 3), n=pick)
    def work(self, owner: int, want: int, n: int) -> None:
        """All as it mostly is: somebody goes on, and what is taken is posted, answered and settled."""
        self.mend()
        self.control(n, "resume")
        before = len(self.flights)
        self.take(want, False, owner)
        if len(self.flights) > before:
            self.post(-1, 1023, "accepted")
            self.settle(-1, False, 1023)

    def mend(self) -> None:
        self.join(True, 0, ["*"] * SENDERS, 0, True, False)
        self.hold_ends()
        self.circuit(False)


class Life(Acts):
    @rule(what=acts(Acts))
    def step(self, what: tuple[str, dict[str, Any]]) -> None:
        name, asked = what
        getattr(self, name)(**asked)


class LifeToItsEnd(Life):
    """Whatever happened: in the end all senders are back, nothing is paused, and what is ready is taken."""

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            super().teardown()

    def finish(self) -> None:
        self.mend()
        for n, _ in enumerate(self.campaigns):
            self.control(n, "resume")
        self.lift_terms()
        for n, campaign in enumerate(self.campaigns):
            for _ in range(campaign.chunks):
                self.plan(n)
        for _ in range(30):
            self.rests_end()
            self.rest_of_the_pool()
            self.take(100, False, 0)
        states = self.states()
        stuck = [place for place, state in states.items() if state == "." and not self.is_over(place[0])]
        assert not stuck, f"{stuck} are ready, and never taken"

    def is_over(self, campaign_id: str) -> bool:
        view = self.do(self.rig.outbox.campaign(campaign_id))
        return view.state in ("cancelled", "expired")

    def rest_of_the_pool(self) -> None:
        self.do(asyncio.sleep(0.002))
        self.rest_or_wake(0, False, 500)
