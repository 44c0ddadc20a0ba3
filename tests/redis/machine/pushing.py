"""Rules of those who push, and of those who plan."""

from typing import Any

from hypothesis import strategies as st

from tests.redis.conftest import chunk_of, people, sender
from tests.redis.machine.stage import Stage, act, pick
from tests.redis.test_routes import british
from volley.outbox.chunks import Chunk

SIZES = st.lists(st.integers(1, 8), min_size=1, max_size=3)

POLICIES = ["hold", "retry", "retry", "give-up"]
ENDS = ["sealed", "sealed", "sealed", "given up", "left behind"]


def chunks_of(sizes: list[int]) -> list[Chunk]:
    return [chunk_of([*people(n, k), *british(1, k)]) for k, n in enumerate(sizes)]


class Pushing(Stage):
    @act(
        sizes=SIZES,
        urgent=st.booleans(),
        named=st.booleans(),
        mms=st.booleans(),
        end=st.sampled_from(ENDS),
        policy=st.sampled_from(POLICIES),
    )
    def push(
        self, sizes: list[int], urgent: bool, named: bool, mms: bool, end: str = "sealed", policy: str = "hold"
    ) -> None:
        chunks = chunks_of(sizes)
        if end != "sealed":
            self.push_and_die(chunks, end == "given up")
            return
        asked: dict[str, Any] = {"priority": "urgent" if urgent else "bulk", "media": ("https://a.b/c",) if mms else ()}
        asked["on_unknown"] = policy
        if named:
            asked |= {"sender": sender(0).number, "fallback": sender(1).number, "refused": ("GB",)}
        self.campaigns.append(self.surely(self.rig.push(*chunks, plan=False, **asked)))
        self.sizes[self.campaigns[-1].id] = chunks
        self.plan(len(self.campaigns) - 1)

    def push_and_die(self, chunks: list[Chunk], given_up: bool) -> None:
        """Whatever becomes of it, nobody was told of a campaign, and nothing of it is ever granted."""
        campaign = self.do(self.rig.open(*chunks))
        self.truth.stopped.add(campaign.id)
        if given_up:
            self.do(self.rig.outbox.abandon(campaign.id))

    @act(2, n=pick)
    def plan(self, n: int) -> None:
        if campaign := self.one(n):
            at = self.do(self.rig.outbox.dispatch.following(campaign.id))
            if at >= 0:
                self.do(self.rig.plan(campaign, at, self.sizes[campaign.id][at]))
