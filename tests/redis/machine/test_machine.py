"""Any order of anything: nobody is sent twice, each message is in exactly one place, the sums hold, what may go goes."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.redis.machine.life import Life, LifeToItsEnd
from tests.redis.machine.server import MortalServer
from volley.outbox.flights import Flight

TIMES = int(os.environ.get("MACHINE_TIMES", "1"))
"""How many times as many histories as usual. With another number they are others each time, and what goes wrong is made small."""
PHASES = [Phase.generate] if TIMES == 1 else [Phase.generate, Phase.shrink]


BASE = settings(
    deadline=None,
    database=None,
    phases=PHASES,
    derandomize=TIMES == 1,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalServer]:
    server = MortalServer(tmp_path_factory.mktemp("mortal"))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


def live(machine: type[Life], server: MortalServer, histories: int, steps: int) -> Counter[str]:
    """Many histories; what happened in all of them. A promise that breaks is shown by a small one."""

    class Here(machine):  # type: ignore[valid-type,misc]
        pass

    Here.server, Here.happened = server, Counter()
    run_state_machine_as_test(Here, settings=settings(BASE, max_examples=histories * TIMES, stateful_step_count=steps))
    print(dict(Here.happened))
    return Here.happened


def test_in_any_order_nobody_is_sent_twice_and_each_message_is_in_one_place(mortal: MortalServer) -> None:
    happened = live(Life, mortal, 16, 60)
    assert happened["posted"] > 20
    assert happened["reaped"] > 0
    assert happened["lost writes"] > 5


def test_in_the_end_everything_that_may_go_has_gone(mortal: MortalServer) -> None:
    """After any history: with all senders back and nothing paused, each message that is ready is granted."""
    assert live(LifeToItsEnd, mortal, 12, 25)["granted"] > 30


class NoBarrier(Life):
    def taken(self, want: int, overdue: bool, synced: bool) -> Flight:
        return self.do(self.hasty.take(want, life_s=-1.0 if overdue else 60.0))


class ReapsToReady(Life):
    patches: ClassVar = {"reap": ("heard and 'a' or '?'", "heard and 'a' or '.'")}


class RepeatsWithANewKey(Life):
    patches: ClassVar = {"repeat": ("generation, rcpt, moment - now)", "generation + 1, rcpt, moment - now)")}


@pytest.mark.parametrize("bare", [NoBarrier, ReapsToReady, RepeatsWithANewKey])
def test_without_a_protection_a_history_goes_wrong(mortal: MortalServer, bare: type[Life]) -> None:
    class Here(bare):  # type: ignore[valid-type,misc]
        pass

    Here.server, Here.happened = mortal, Counter()
    with pytest.raises(AssertionError) as wrong:
        run_state_machine_as_test(Here, settings=settings(BASE, max_examples=40, stateful_step_count=60))
    print(wrong.value)
