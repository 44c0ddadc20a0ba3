"""Rules of the pool: senders come, go, rest and wake, and what waited for them moves."""

from hypothesis import strategies as st

from tests.redis.conftest import sender
from tests.redis.machine.stage import SENDERS, Stage, act

KINDS = ["long_code", "toll_free", "toll_free"]


class Pooling(Stage):
    @act(
        classes=st.booleans(),
        absent=st.sampled_from([0, 0, *range(SENDERS + 1)]),
        reaches=st.lists(st.sampled_from(["*", "US", "GB"]), min_size=SENDERS, max_size=SENDERS),
        kept=st.integers(0, SENDERS),
        sticky=st.booleans(),
        geomatch=st.booleans(),
    )
    def join(self, classes: bool, absent: int, reaches: list[str], kept: int, sticky: bool, geomatch: bool) -> None:
        there = [
            sender(n, 100_000, type=KINDS[n], reach=reaches[n], kept=n == kept - 1)
            for n in range(SENDERS)
            if n != absent - 1
        ]
        weights = {"long_code": 1, "toll_free": 2} if classes else None
        self.surely(self.rig.sync(there, weights, sticky=sticky, geomatch=geomatch))
        self.reaches = reaches

    @act(n=st.integers(0, SENDERS), evicts=st.booleans(), most=st.integers(1, 5))
    def rest_or_wake(self, n: int, evicts: bool, most: int) -> None:
        """A sender rests for a millisecond; or (n = 0) those whose rest is over wake, and what waits for others moves."""
        if n:
            until = self.do(self.rig.now_us()) + 1000
            self.do(self.rig.outbox.scripts.run("rest", f"s{n}", until, "why", 0 if evicts else 10**9))
            return
        self.do(self.rig.outbox.chores.wake())
        for owner in self.do(self.rig.outbox.chores.evicted()):
            self.do(self.rig.outbox.chores.evict(owner, most))
