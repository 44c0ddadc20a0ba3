"""16: many producers write to the same people at once while senders are withdrawn: one sender a person until moved by policy."""

import asyncio
import time
from collections import defaultdict
from itertools import pairwise

from tests.chaos.oracle import accepted
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.outbox.dispatch import HORIZON_US, LATE_US
from volley.profile import ProfileFacts
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import PROFILE_ID, ReceiptSpec
from volley.sender import Sender

SENDERS = 20
WIRE_US = 250_000
"""What a POST may take from the last look at the clock to the carrier's stamp, on a busy machine."""

Removals = dict[str, tuple[int, int]]
"""Number → monotonic µs at which its removal was asked for, and at which it was acknowledged."""


async def _play(run: Run, *how: str) -> None:
    producers, people, workers = run.pick(12, 50), run.pick(300, 1_000), run.pick(2, 4)
    rate = run.pick(400, 600)
    seconds = producers * people * 1.15 / rate
    run.settings |= {
        "producers": producers,
        "people": people,
        "senders": SENDERS,
        "workers": workers,
        "parts_per_s": rate,
    }
    quiet = ReceiptSpec(mode="off")
    async with stage(senders=SENDERS, rate=60, account_rate=rate, receipts=quiet) as play:
        for _ in range(workers):
            await play.worker(*how, wait=False)
        await play.until(lambda: _shown(play, workers), "the workers did not start", 30)
        crowd = play.people(people)
        pushing = [play.push(people=crowd, idempotency_key=f"race-{n}") for n in range(producers)]
        _, removed = await asyncio.gather(asyncio.gather(*pushing), _remove_two(run, play, seconds))
        await play.drained(seconds + 120)
        books = await play.books()
        took = accepted(books.arrivals)
        wrong, moved = _wandering(took, removed)
        run.expect("one sender a person", not wrong, wrong[:3] or f"{len(took):,} messages to {people} people")
        window = HORIZON_US + LATE_US + WIRE_US
        after = [each.at_us - removed[each.sender][1] for each in took if each.sender in removed]
        latest = max(after, default=0)
        run.expect(f"withdrawn ones are done within {window // 1000} ms", latest <= window, f"{latest / 1000:.0f} ms")
        run.figures["people_moved"] = moved
        run.judged(await play.judge())


async def _shown(play: Stage, workers: int) -> bool:
    return len(await play.outbox.workers()) >= workers


async def _remove_two(run: Run, play: Stage, seconds: float) -> Removals:
    """One sender is withdrawn, and a while later a sync comes without another one."""
    first, second = run.dice.sample(sorted(play.rates), 2)
    removed: Removals = {}
    stays = [_sender(play, number) for number in play.rates if number not in (first, second)]
    await asyncio.sleep(run.dice.uniform(0.2, 0.5) * seconds)
    asked = time.monotonic_ns() // 1000
    assert await play.outbox.withdraw([_sender(play, first)]) == 1
    removed[first] = asked, time.monotonic_ns() // 1000
    run.did("a sender withdrawn")
    await asyncio.sleep(run.dice.uniform(0.1, 0.3) * seconds)
    asked = time.monotonic_ns() // 1000
    await play.outbox.sync_senders(PROFILE_ID, stays, facts=ProfileFacts(PROFILE_ID))
    removed[second] = asked, time.monotonic_ns() // 1000
    run.did("a sync without another one")
    return removed


def _sender(play: Stage, number: str) -> Sender:
    return Sender(number, "long_code", PROFILE_ID, "US", round(play.rates[number] * 1000))


def _wandering(took: list[Arrival], removed: Removals) -> tuple[list[str], int]:
    """People who changed their sender though it was there, and how many changed as theirs had gone."""
    seen: dict[str, dict[str, int]] = defaultdict(dict)
    for each in sorted(took, key=lambda arrival: arrival.at_us):
        seen[each.to].setdefault(each.sender, each.at_us)
    wrong, moved = [], 0
    for person, firsts in seen.items():
        order = list(firsts)
        moved += len(order) > 1
        for gone, came in pairwise(order):
            if gone not in removed or firsts[came] < removed[gone][0]:
                wrong.append(f"{person}: {gone} then {came}")
    return wrong, moved


async def _control(run: Run) -> None:
    await _play(run, "--without", "pins")


@experiment(
    16, "producers race to the same people while senders leave", control=_control, without="pins", reds=("one",)
)
async def sticky_race(run: Run) -> None:
    await _play(run)
