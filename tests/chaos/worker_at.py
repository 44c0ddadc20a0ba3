"""A real worker with a breakpoint, or without one of its protections: python -m tests.chaos.worker_at [--at POINT --pass 3 --do kill].

The product has no hook for this: the real functions are wrapped here, in the process that is to die. Points, in the
order of the path:

plan-before  plan  take-before  take  barrier  write-before  write-inside  headers  answer  settle-before  settle

`take` lies between the script and its barrier; `barrier`: the grant is on the disk and nothing is posted; `write-inside`:
past the last look at the clock, before the first byte; `headers`: the request is on the wire; `answer`: it was read.
"""

import argparse
import asyncio
import math
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp.abc import AbstractStreamWriter

from volley.__main__ import main
from volley.carrier.attempt import Attempt
from volley.carrier.outcome import NotSent, Outcome, PerhapsSent
from volley.carrier.telnyx import Carrier
from volley.outbox import chunks, scripts
from volley.outbox.dispatch import Dispatch, Outcomes
from volley.outbox.flights import OUTCOME
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import Scripts
from volley.state import State
from worker.circuit import Circuit
from worker.sweep import Sweeper

Method = Callable[..., Awaitable[Any]]


class Breakpoint:
    """Does its deed to this process at the n-th pass."""

    def __init__(self, nth: int, deed: signal.Signals) -> None:
        self._left = nth
        self._deed = deed

    def pass_by(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._deed)


def around(owner: type, name: str, stop: Breakpoint, *, before: bool) -> None:
    """The breakpoint stands before or after a method of `owner`."""
    real: Method = getattr(owner, name)

    async def wrapped(self: object, *args: object, **named: object) -> object:
        if before:
            stop.pass_by()
        answer = await real(self, *args, **named)
        if not before:
            stop.pass_by()
        return answer

    setattr(owner, name, wrapped)


def between_script_and_barrier(stop: Breakpoint) -> None:
    real = Scripts._pipeline

    async def pipeline(self: Scripts, calls: tuple[scripts.Call, ...]) -> tuple[list[Any], list[Any]]:
        if calls[0][0] == "take":
            stop._left -= 1
            if stop._left == 0:
                stop._left = 1
                await self.run(*calls[0])
                stop.pass_by()
        return await real(self, calls)

    Scripts._pipeline = pipeline  # type: ignore[method-assign]


def past_the_clock(stop: Breakpoint) -> None:
    real = Attempt.write_with_length

    class Writer:
        def __init__(self, writer: AbstractStreamWriter) -> None:
            self._writer = writer

        async def write(self, data: bytes) -> None:
            stop.pass_by()
            await self._writer.write(data)

    async def write(self: Attempt, writer: Any, content_length: int | None) -> None:
        await real(self, Writer(writer), content_length)  # type: ignore[arg-type]

    Attempt.write_with_length = write  # type: ignore[method-assign]


def on_the_wire(stop: Breakpoint) -> None:
    real = Attempt.write_with_length

    async def write(self: Attempt, writer: Any, content_length: int | None) -> None:
        await real(self, writer, content_length)
        asyncio.get_running_loop().call_later(0.01, stop.pass_by)  # the loop writes at the end of its turn

    Attempt.write_with_length = write  # type: ignore[method-assign]


def around_a_settlement(stop: Breakpoint, *, before: bool) -> None:
    """Of something that the carrier took: where all of it was too late to be sent nothing is settled."""
    real = Dispatch.settle

    async def settle(self: Dispatch, outcomes: Sequence[Outcomes], payload: bytes = b"") -> bytes:
        states = {state for each in outcomes for _, state, *_ in OUTCOME.iter_unpack(each.packed)}
        counts = State.SUBMITTED.encode() in states
        if counts and before:
            stop.pass_by()
        mask = await real(self, outcomes, payload)
        if counts and not before:
            stop.pass_by()
        return mask

    Dispatch.settle = settle  # type: ignore[method-assign]


POINTS: dict[str, Callable[[Breakpoint], None]] = {
    "plan-before": lambda stop: around(Dispatch, "plan", stop, before=True),
    "plan": lambda stop: around(Dispatch, "plan", stop, before=False),
    "take-before": lambda stop: around(Dispatch, "take", stop, before=True),
    "take": between_script_and_barrier,
    "barrier": lambda stop: around(Dispatch, "take", stop, before=False),
    "write-before": lambda stop: around(Attempt, "write_with_length", stop, before=True),
    "write-inside": past_the_clock,
    "headers": on_the_wire,
    "answer": lambda stop: around(Carrier, "send", stop, before=False),
    "settle-before": lambda stop: around_a_settlement(stop, before=True),
    "settle": lambda stop: around_a_settlement(stop, before=False),
}


# protections that may be off, for controls


def altered(script: str, old: str, new: str) -> None:
    """This process runs a script with other text; AssertionError where the text is not in it."""
    real = scripts.source

    def source(name: str) -> str:
        text = real(name)
        if name != script:
            return text
        assert old in text, f"{script}.lua has no {old!r}: this control must be written anew"
        return text.replace(old, new)

    scripts.source = source


def without_unknown() -> None:
    """What a dead worker had taken goes back into line, as if it had not been sent."""
    altered("reap", "heard and 'a' or '?'", "heard and 'a' or '.'")
    altered(
        "reap",
        "tell(chunk.cid, k, off, new, idx, attempt)",
        "if new == '.' then local _, _, _, _, _, at, spent, gen, to = unpack_(RECORD, text, flight.records + pos *"
        " RECORD_SIZE) requeue(camp_of(chunk.cid), pack(REF, k, off, parts, at, spent, gen, to), k, floor(now / DAY_US), 8,"
        " false) else tell(chunk.cid, k, off, new, idx, attempt) end",
    )


def without_perhaps() -> None:
    """A POST without an answer counts as not sent."""
    real = Carrier.send

    async def send(self: Carrier, *args: Any, **named: Any) -> tuple[Outcome, float]:
        outcome, at = await real(self, *args, **named)
        return (NotSent("the line was closed"), at) if isinstance(outcome, PerhapsSent) else (outcome, at)

    Carrier.send = send  # type: ignore[method-assign]


def without_barrier() -> None:
    """A take is posted before anybody knows that it is on the disk."""
    Scripts.durable = Scripts.run  # type: ignore[method-assign]


def without_deadline() -> None:
    """Whatever the clock says, a grant is sent."""
    real = Attempt.__init__

    def init(self: Attempt, body: bytes, idempotency_key: str, deadline: float) -> None:
        del deadline
        real(self, body, idempotency_key, math.inf)

    Attempt.__init__ = init  # type: ignore[method-assign]


def without_rates() -> None:
    """The account and everybody in it may send three times as fast."""
    real = Outbox.set_rates

    async def set_rates(self: Outbox, account: Any, *args: Any, **named: Any) -> None:
        await real(self, account * 3, *args, **named)

    Outbox.set_rates = set_rates  # type: ignore[method-assign]


def without_halts() -> None:
    """take looks neither at a pause nor at opt-outs."""
    altered("take", "if not c or c.st ~= 'r' or", "if not c or (c.st ~= 'r' and c.st ~= 'p') or")
    altered("take", "if optouts[c.p] ~= false and opted_out(c.p, ref) then", "if false then")


def without_credit() -> None:
    """Whatever was not used, however long ago, may be caught up on."""
    altered("take", "local earliest = moment - credit", "local earliest = 0")


def without_pins() -> None:
    """Whoever is free writes to whomever it is."""
    altered("take", "if not s.loose and not pin(c, s, ref) then return false end", "")


def without_rearming() -> None:
    """Jobs are armed while the worker starts; one that is lost later is lost."""
    real, end = Sweeper.arm, time.monotonic() + 8

    async def arm(self: Sweeper) -> None:
        if time.monotonic() < end:
            await real(self)

    Sweeper.arm = arm  # type: ignore[method-assign]


def without_bound() -> None:
    """take goes on however far the ledger is behind."""
    altered("take", "if call('XLEN', K.ledger) > bound then", "if false then")


def without_circuit() -> None:
    """Nobody draws a conclusion from a carrier that does not answer."""
    Circuit._open = lambda *_: None  # type: ignore[method-assign]


def without_leave() -> None:
    """With its memory full Redis lets no script write."""
    real = scripts.source
    scripts.source = lambda name: real(name).replace("allow-oom", "", 1)


def without_versions() -> None:
    """Whatever release a chunk is of, it is read as one of this."""
    chunks.READ = tuple(range(256))  # type: ignore[assignment]


PROTECTIONS: dict[str, Callable[[], None]] = {
    "unknown": without_unknown,
    "perhaps": without_perhaps,
    "barrier": without_barrier,
    "deadline": without_deadline,
    "rates": without_rates,
    "halts": without_halts,
    "credit": without_credit,
    "pins": without_pins,
    "rearming": without_rearming,
    "bound": without_bound,
    "circuit": without_circuit,
    "leave": without_leave,
    "versions": without_versions,
}


def run() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", choices=POINTS)
    parser.add_argument("--pass", dest="nth", type=int, default=1)
    parser.add_argument("--do", choices=("kill", "stop"), default="kill")
    parser.add_argument("--without", action="append", choices=PROTECTIONS, default=[])
    options = parser.parse_args()
    for name in options.without:
        PROTECTIONS[name]()
    if options.at:
        POINTS[options.at](Breakpoint(options.nth, signal.SIGKILL if options.do == "kill" else signal.SIGSTOP))
    sys.argv = ["volley", "worker"]
    main()


if __name__ == "__main__":
    run()
