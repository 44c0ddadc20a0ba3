"""2: a worker dies at a point of the path; what each message was at that moment decides what it is in the end."""

import asyncio
from collections import Counter

from tests.chaos.oracle import accepted, message_of
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import stage
from volley.message import MessageId
from volley.sandbox.config import ReceiptSpec
from volley.state import State

PEOPLE = 60
AT_ONCE = 4
BECOMES = {State.READY: State.SUBMITTED, State.SENDING: State.UNKNOWN, State.SUBMITTED: State.SUBMITTED}
"""State at the worker's death → state when another worker has done all there is to do."""

NTH = {
    "plan-before": (1, 1),
    "plan": (1, 1),
    "take": (1, 3),
    "barrier": (1, 3),
    "headers": (2, 40),
    "answer": (2, 40),
    "settle-before": (1, 3),
    "settle": (1, 3),
}
"""Between which passes of a point the worker dies."""


async def _die(run: Run, point: str, nth: int, *how: str, case: str = "") -> None:
    """Without receipts, so that nobody else resolves what the death left unknown."""
    off = ReceiptSpec(mode="off")
    async with stage(receipts=off, latency_ms=(50, 150), idempotency="ignored") as play:
        await play.push(PEOPLE)
        doomed = await play.worker("--at", point, "--pass", str(nth), *how, wait=False)
        code = await doomed.gone()
        before = (await play.books()).states
        await play.worker(*how, wait=False)
        await play.drained(60)
        books = await play.books()
        found = Counter(before.values())
        at_death = ", ".join(f"{count} {State(state).name.lower()}" for state, count in sorted(found.items()))
        run.did(f"kill -9 at {point}, pass {nth} ({at_death})")
        run.expect(f"{case}the worker died there", code == -9, f"exit code {code}")
        wrong = [name for name, state in before.items() if books.states[name] != BECOMES[State(state)]]
        run.expect(f"{case}each message ends as it must", not wrong, f"{len(before) - len(wrong)} of {len(before)}")
        _as_far_as(run, point, case, before, {message_of(each) for each in accepted(books.arrivals)})
        run.judged(await play.judge(unknown_allowed=True), case.strip(": "))


def _as_far_as(run: Run, point: str, case: str, before: dict[MessageId, str], took: set[MessageId]) -> None:
    """The death came where it should: how far the messages had come then."""
    sending = {name for name, state in before.items() if state == State.SENDING}
    settled = sum(1 for state in before.values() if state == State.SUBMITTED)
    match point:
        case "plan-before" | "plan":
            good, found = not sending, f"{len(sending)} being sent"
        case "take" | "barrier":
            good, found = bool(sending), f"{len(sending)} being sent, {len(sending & took)} of them at the carrier"
        case "settle":
            good, found = settled > 0, f"{settled} settled"
        case _:
            good, found = bool(sending & took), f"{len(sending & took)} of {len(sending)} at the carrier"
    run.expect(f"{case}it had come as far as {point}", good, found)


async def _control(run: Run) -> None:
    await _die(run, "answer", 20, "--without", "unknown")


@experiment(2, "kill -9 at each point of the path", control=_control, without="unknown: reap gives back", reds=("D",))
async def killed_at_a_point(run: Run) -> None:
    run.settings |= {"messages": PEOPLE, "points": " ".join(NTH), "rounds": run.pick(1, 5)}
    plan = [(point, run.dice.randint(*NTH[point])) for _ in range(run.pick(1, 5)) for point in NTH]
    for at in range(0, len(plan), AT_ONCE):
        await asyncio.gather(*(_die(run, *each, case=f"{each[0]}: ") for each in plan[at : at + AT_ONCE]))
