"""A real producer command with a breakpoint, or without a protection: python -m tests.chaos.producer_at [--at POINT --pass 2] -- send ….

As in worker_at.py the real functions are wrapped here, in the process that is to die. Points of a push, in order:

begin  admit  seal-before  seal-script  seal  print

`admit` lies after a chunk was stored, `seal-script` between the script and its answer, `seal` behind the answer; `print`:
all is done and nobody has been told. `--do stop` stands still there until somebody says SIGCONT.
"""

import argparse
import secrets
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import true

from producer.cli import pushed
from producer.intake import Intake
from producer.push.totals import Totals
from producer.web import webhooks
from tests.chaos.worker_at import Breakpoint, around
from volley.__main__ import main
from volley.campaign import new_campaign_id
from volley.ledger import merge
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import Call, Scripts


def between_script_and_answer(stop: Breakpoint) -> None:
    real = Scripts._pipeline

    async def pipeline(self: Scripts, calls: tuple[Call, ...]) -> tuple[list[Any], list[Any]]:
        names = [name for name, *_ in calls]
        if "seal" in names:
            for each in calls[: names.index("seal") + 1]:
                await self.run(*each)
            stop.pass_by()
        return await real(self, calls)

    Scripts._pipeline = pipeline  # type: ignore[method-assign]


def before_it_is_told(stop: Breakpoint) -> None:
    real = pushed.tell

    def tell(*args: Any, **named: Any) -> None:
        stop.pass_by()
        real(*args, **named)

    pushed.tell = tell


POINTS: dict[str, Callable[[Breakpoint], None]] = {
    "begin": lambda stop: around(Outbox, "begin", stop, before=False),
    "admit": lambda stop: around(Outbox, "admit", stop, before=False),
    "seal-before": lambda stop: around(Outbox, "seal", stop, before=True),
    "seal-script": between_script_and_answer,
    "seal": lambda stop: around(Outbox, "seal", stop, before=False),
    "print": before_it_is_told,
}


# protections that may be off, for controls


def without_once() -> None:
    """Every push is a new one, whatever its idempotency key."""
    Intake._key = lambda self: secrets.token_hex(8)  # type: ignore[method-assign]

    async def none(self: Outbox, idempotency_key: str) -> None:
        del self, idempotency_key

    Outbox.find_key = none  # type: ignore[assignment]


def without_whole() -> None:
    """Every chunk may be sent as soon as it is stored."""
    real = Intake._admit

    async def admit(self: Intake, batch: Any, begun: Any) -> None:
        await real(self, batch, begun)
        await self.outbox.seal(self._campaign(), key_ttl_s=60)
        self.campaign_id, self.totals = new_campaign_id(), Totals()
        await self.outbox.begin(self.campaign_id)

    Intake._admit = admit  # type: ignore[method-assign]


def without_signature() -> None:
    """Who says that he is the carrier is the carrier."""
    webhooks.claim = lambda *_: ("", b"")
    webhooks.verify = lambda *_: None


def without_bodies_bound() -> None:
    """A body of any length is read."""
    webhooks.Bodies = lambda: _AnyBody()  # type: ignore[misc,assignment,return-value]


class _AnyBody:
    async def read(self, request: Any) -> bytes:
        pieces = [piece async for piece in request.content.iter_any()]
        return b"".join(pieces)


class _Always:
    """A key that is greater than any other."""

    def __init__(self, *_: object) -> None:
        pass

    def __gt__(self, _: object) -> Any:
        return true()


def without_order() -> None:
    """Whatever reaches the ledger last is what it says."""
    merge.tuple_ = _Always  # type: ignore[assignment]


def clock_ahead(seconds: float) -> None:
    """Webhooks arrive so much later, by the clock of who takes them."""
    webhooks.time = lambda: time.time() + seconds
    webhooks.time_ns = lambda: time.time_ns() + int(seconds * 1e9)


PROTECTIONS: dict[str, Callable[[], None]] = {
    "once": without_once,
    "whole": without_whole,
    "signature": without_signature,
    "bodies": without_bodies_bound,
    "order": without_order,
}


def run() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", choices=POINTS)
    parser.add_argument("--pass", dest="nth", type=int, default=1)
    parser.add_argument("--do", choices=("kill", "stop"), default="kill")
    parser.add_argument("--without", action="append", choices=PROTECTIONS, default=[])
    parser.add_argument("--ahead", type=float, default=0.0, help="seconds that webhooks are late")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    for name in options.without:
        PROTECTIONS[name]()
    if options.ahead:
        clock_ahead(options.ahead)
    if options.at:
        POINTS[options.at](Breakpoint(options.nth, signal.SIGKILL if options.do == "kill" else signal.SIGSTOP))
    sys.argv = ["volley", *options.command]
    main()


if __name__ == "__main__":
    run()
