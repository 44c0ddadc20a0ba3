"""3: a worker stands still for longer than its flights live, and goes on: what was given up meanwhile it does not send."""

import asyncio
import signal

from tests.chaos.oracle import message_of
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import FIRST_LOOK_S, FLIGHT_LIFE_S, stage
from volley.sandbox.config import ReceiptSpec
from volley.state import State

PEOPLE = 60
AT_ONCE = 3
AFTER_S = 3.0
NTH = {
    "plan-before": (1, 1),
    "plan": (1, 1),
    "take": (1, 3),
    "barrier": (1, 3),
    "write-before": (1, 30),
    "write-inside": (1, 30),
    "headers": (2, 30),
    "answer": (2, 30),
    "settle-before": (1, 3),
    "settle": (1, 3),
}
ON_ITS_WAY = {"write-inside": 1}
"""How many may still go: one whose bytes were between the last look at the clock and the wire."""


async def _stand_still(
    run: Run, point: str, nth: int, *, zombie: tuple[str, ...] = (), other: tuple[str, ...] = ()
) -> None:
    off = ReceiptSpec(mode="off")
    async with stage(receipts=off, latency_ms=(50, 150), idempotency="ignored") as play:
        await play.push(PEOPLE)
        still = await play.worker("--at", point, "--pass", str(nth), "--do", "stop", *zombie, wait=False)
        await still.stopped()
        await asyncio.sleep(0.3)  # what it had written reaches the carrier
        held = {name for name, state in (await play.books()).states.items() if state == State.SENDING}
        await play.worker(*other, wait=False)
        await asyncio.sleep(FLIGHT_LIFE_S + run.dice.uniform(0.5, 3))
        await play.drained(60)
        before = await play.books()
        still.signal(signal.SIGCONT)
        await asyncio.sleep(AFTER_S)
        await play.drained(30)
        after = await play.books()
        run.did(f"SIGSTOP at {point}, pass {nth}, with {len(held)} being sent; SIGCONT after they were given up")
        late = [each for each in after.arrivals[len(before.arrivals) :] if message_of(each) in held]
        run.expect(
            f"{point}: nothing that was given up is sent",
            len(late) <= ON_ITS_WAY.get(point, 0),
            f"{len(late)} of {len(held)}",
        )
        back = [name for name in held if after.states[name] == State.READY]
        moved = [name for name in held if after.states[name] != before.states[name]]
        run.expect(f"{point}: nothing goes back to ready", not back, f"{len(moved)} of {len(held)} changed their state")
        run.expect(f"{point}: it lives on", still.alive, "alive" if still.alive else f"exit code {still.code}")
        run.judged(await play.judge(unknown_allowed=True), point)


async def _covered_by_the_key(run: Run, nth: int) -> None:
    """It stands still between clock and wire until another has asked for its messages with the same keys: then its POST is a repeat."""
    off = ReceiptSpec(mode="off")
    async with stage(receipts=off, latency_ms=(50, 150), idempotency="honoured") as play:
        await play.probe()
        await play.push(PEOPLE)
        still = await play.worker("--at", "write-inside", "--pass", str(nth), "--do", "stop", wait=False)
        await still.stopped()
        await play.worker(wait=False)
        await play.drained(3 * FIRST_LOOK_S + 60, resolved=True)
        before = await play.books()
        still.signal(signal.SIGCONT)
        await asyncio.sleep(AFTER_S)
        late = (await play.books()).arrivals[len(before.arrivals) :]
        run.did(f"SIGSTOP at write-inside, pass {nth}, until all was resolved by repeats; SIGCONT")
        good = [each.result for each in late] == ["replayed"]
        run.expect("the one POST that slips through is covered by its key", good, [each.result for each in late])
        run.judged(await play.judge(), "covered")


async def _control(run: Run) -> None:
    """A zombie that does not look at the clock, beside a worker that gives back what the zombie holds."""
    await _stand_still(run, "barrier", 2, zombie=("--without", "deadline"), other=("--without", "unknown"))


@experiment(
    3,
    "SIGSTOP longer than a flight lives, then SIGCONT, at each point of the path",
    control=_control,
    without="the look at the clock, and unknown: reap gives back",
    reds=("D",),
)
async def stopped_at_a_point(run: Run) -> None:
    rounds = run.pick(1, 3)
    run.settings |= {"messages": PEOPLE, "points": " ".join(NTH), "rounds": rounds}
    plan = [(point, run.dice.randint(*NTH[point])) for _ in range(rounds) for point in NTH]
    await _covered_by_the_key(run, run.dice.randint(*NTH["write-inside"]))
    for at in range(0, len(plan), AT_ONCE):
        await asyncio.gather(*(_stand_still(run, *each) for each in plan[at : at + AT_ONCE]))
