"""All interleavings of the protocol, small: two workers, a carrier that loses answers, a Redis that forgets, any crash anywhere.

How it maps to the code: scripts.py here is take, repeat, settle, reap, receipts, sweep, poison, redrive and reassert of
volley/outbox/lua, its moves are those of volley/state.py, and what they do to lanes is left to the machine over the real scripts
(tests/redis/machine). actors.py is worker/drain.py, delivery.py, settling.py, memory.py and resolve.py, the sweeper, and
volley/outbox/scripts.py's barrier. A message that flies alone stands for a flight, as its mask makes its messages independent.
Time is what it decides: whether somebody is paused for longer than a flight lives. Assumed, and not shown here: nobody is paused
between the look at the clock and the write for as long as the carrier remembers a key; a repeat comes no sooner after its message
became unknown than a replica may lag; live workers re-assert within the hold.

`python -m tests.model` prints the size of each run and the shortest way to each broken promise; MODEL_FAULTS=1 allows one fault
more in each run (minutes).
"""

import os
from functools import cache

import pytest

from tests.model.runs import BREAK, HOLD
from tests.model.search import Found, explore
from volley.state import MOVES

FLOOR = 600
MORE = int(os.environ.get("MODEL_FAULTS", "0"))
NEEDLESS = {"oa"}
"""Nothing that the carrier has is ever ended as opted out, while the promises hold."""


@cache
def explored(name: str) -> Found:
    rules = HOLD[name]
    return explore(rules._replace(faults=rules.faults + MORE))


@pytest.mark.parametrize("name", HOLD)
def test_whatever_happens_nobody_is_sent_twice_and_nothing_is_lost(name: str) -> None:
    found = explored(name)
    print(f"{name}: {found.worlds:,} worlds, {found.steps:,} steps")
    assert not found.wrong, "\n".join((found.wrong, *found.trace))
    assert found.worlds > FLOOR


def test_the_model_makes_every_move_that_the_table_has() -> None:
    seen = {move for name in HOLD for move in explored(name).moves}
    assert MOVES - seen == NEEDLESS


@pytest.mark.parametrize("name", BREAK)
def test_without_a_protection_a_promise_is_broken(name: str) -> None:
    rules, promise = BREAK[name]
    found = explore(rules)
    print(f"{name}: {found.wrong} after {len(found.trace)} steps", *found.trace, sep="\n")
    assert found.wrong == promise
    assert found.trace
