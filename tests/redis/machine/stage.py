"""What all rules stand on: a server of their own, campaigns to the same few people, and what must hold after each step."""

import asyncio
import hashlib
import inspect
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

import redis.asyncio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.redis.conftest import Place, Rig
from tests.redis.machine.server import MortalServer
from tests.redis.machine.truth import Aloft, Truth
from volley.campaign import Campaign
from volley.outbox.chunks import Chunk
from volley.outbox.outbox import Outbox
from worker.memory import Memory
from worker.recovery import Recovery
from worker.settling import Settler

SENDERS = 3
PEOPLE = 6
WORKERS = 2
pick = st.integers(0, 1_000_000)

Done = TypeVar("Done", bound=Callable[..., None])


def act(weight: int = 1, **asked: st.SearchStrategy[Any]) -> Callable[[Done], Done]:
    """Something that may happen, `weight` times as often as the rarest.

    Hypothesis' own rules are switched off in half of all histories, where most that go wrong need a take, a POST and a settle.
    """

    def mark(method: Done) -> Done:
        method.act = weight, asked  # type: ignore[attr-defined]
        return method

    return mark


def acts(machine: type) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """All acts of a machine, with what they ask for."""
    marked = {name: method.act for name, method in inspect.getmembers(machine) if hasattr(method, "act")}
    names = [name for name, (weight, _) in marked.items() for _ in range(weight)]
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), st.fixed_dictionaries(marked[name][1])))


class Hand:
    """What a worker remembers, and how it tells a new server of it. The real ones."""

    def __init__(self, outbox: Outbox) -> None:
        self.memory = Memory()
        self.recovery = Recovery(outbox, self.memory, Settler(outbox, self.memory))


class Stage(RuleBasedStateMachine):
    """`server` is set by the test. `hasty` takes without a barrier."""

    server: ClassVar[MortalServer]
    forgetful: ClassVar[bool] = False
    patches: ClassVar[dict[str, tuple[str, str]]] = {}
    """Of a test that switches a protection off: script → (its Lua, what stands there instead)."""
    happened: ClassVar[Counter[str]] = Counter()
    """Over all histories, so that a test can see that it is not about nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.client = redis.asyncio.Redis.from_url(self.server.url)
        self.rig = self.rig_of(Outbox(self.client, "test"))
        self.hasty = self.rig_of(Outbox(self.client, "test", relaxed=True))
        self.hands = [Hand(self.rig.outbox) for _ in range(WORKERS)]
        self.truth = Truth()
        self.campaigns: list[Campaign] = []
        self.sizes: dict[str, list[Chunk]] = {}
        self.flights: list[Aloft] = []

    def rig_of(self, outbox: Outbox) -> Rig:
        scripts = outbox.scripts
        for name, (protected, bare) in self.patches.items():
            if protected not in scripts._sources[name]:
                raise LookupError(f"{name}.lua has changed: so must its control")
            text = scripts._sources[name].replace(protected, bare)
            scripts._sources[name], scripts._hashes[name] = text, hashlib.sha1(text.encode()).hexdigest()
        return Rig(outbox)

    def do(self, act: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(act)

    def surely(self, act: Coroutine[Any, Any, Any]) -> Any:
        """As `do`; it waits for the barrier, so whoever asked has been told."""
        answer = self.do(act)
        self.server.told()
        return answer

    def teardown(self) -> None:
        self.do(self.client.aclose())
        self.loop.close()

    def one(self, n: int) -> Campaign | None:
        return self.campaigns[n % len(self.campaigns)] if self.campaigns else None

    def states(self) -> dict[Place, str]:
        """Of all chunks that are there."""
        found: dict[Place, str] = {}
        for campaign in self.campaigns:
            keys = [self.rig.keys.states(campaign.id, k) for k in range(campaign.chunks)]
            for k, text in enumerate(self.do(self.client.mget(keys))):
                found |= {(campaign.id, k, n): state for n, state in enumerate((text or b"").decode())}
        return found

    @invariant()
    def holds(self) -> None:
        states = self.states()
        self.truth.check(states)
        self.do(self.rig.check(*self.campaigns, forgetful=self.forgetful))
        for campaign in self.campaigns if self.truth.risked else ():
            twice = sum(
                n > 1 for place, n in self.truth.accepted.items() if place[0] == campaign.id and states[place] == "a"
            )
            assert self.do(self.rig.tallies(campaign))["pt"] >= twice, "sent twice and not counted"
