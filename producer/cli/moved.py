"""Senders on their way between profiles, as the command line tells of it."""

from collections.abc import Awaitable, Callable

import typer

from producer.cli.at_carrier import Counter, at_carrier, recorded
from producer.cli.output import Progress, emit, note, say, table
from producer.pool.assignments import Assigner, Assignment
from producer.pool.mover import LIMIT_S
from volley.carrier import bulk_api
from volley.carrier.api import Missing
from volley.carrier.bulk_api import Order
from volley.errors import UnusableInput

_MOST_NAMED = 100
"""Numbers of ours that the audit log names one by one."""


def tell_order(order_id: str, *, wait: bool, as_json: bool) -> bool:
    """What became of an order's numbers; whether all went well."""

    follower = _Follower()

    async def work(counter: Counter) -> Order:
        found = await bulk_api.order(counter.api, order_id)
        return await bulk_api.follow(counter.api, found, limit_s=LIMIT_S, tell=follower.tell) if wait else found

    try:
        found = at_carrier(work)
    except Missing:
        raise UnusableInput(f"the carrier knows no order {order_id[:64]!r}") from None
    finally:
        follower.clear()
    if as_json:
        emit(found.model_dump())
    else:
        rows = ((number, state) for state in ("failed", "pending", "success") for number in getattr(found, state))
        table(("number", "state"), rows)
    return not (found.failed or found.pending)


class _Follower:
    """Says which orders there are, so that one can come back to them, and how far they are."""

    def __init__(self) -> None:
        self._progress = Progress()
        self._known: set[str] = set()

    def tell(self, order: Order) -> None:
        if order.order_id not in self._known:
            self._known.add(order.order_id)
            self._progress.clear()
            note(f"order {order.order_id}")
        over = len(order.success) + len(order.failed)
        self._progress.show(f"{over} of {over + len(order.pending)} numbers are through")

    def clear(self) -> None:
        self._progress.clear()


def done(work: Callable[[Assigner], Awaitable[Assignment]], *, with_pool: bool) -> Assignment:
    follower = _Follower()

    async def seated(counter: Counter) -> Assignment:
        found = await work(Assigner(counter.settings, counter.api, counter.outbox, follower.tell))
        if found.done:
            what = "numbers_assign" if found.profile else "numbers_unassign"
            numbers = found.done[:_MOST_NAMED]
            await recorded(counter, what, profile=found.profile, count=len(found.done), numbers=numbers)
        if with_pool and counter.outbox is None:
            note("no Redis is configured, so that no pool was synced (VOLLEY_REDIS_URL, or a running volley up)")
        return found

    try:
        return at_carrier(seated, with_pool=with_pool)
    finally:
        follower.clear()


def answer(found: Assignment, repeated: int, *, as_json: bool) -> None:
    if as_json:
        emit(found.as_json() | {"repeated": repeated})
    else:
        _tell(found)
    if repeated:
        note(f"named more than once, counted once: {repeated}")
    for number, reason in found.failed.items():
        note(f"{number}: {reason}")
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _tell(found: Assignment) -> None:
    where = found.profile or "no profile"
    if found.planned:
        rows = [
            (move.sender.name, move.at or "-", "cannot" if move.problem else where if move.open else "stays")
            for move in found.planned
        ]
        table(("number", "is in", "would be in"), rows)
        return
    say(f"{len(found.done)} of {len(found.done) + len(found.failed)} are in {where} now")
    for synced in found.synced:
        if "problem" in synced:
            note(f"pool of {synced['profile']}: {synced['problem']}")
        else:
            why = f" (volley numbers doctor --profile {synced['profile']} says why)" if synced["not_ready"] else ""
            say(f"pool of {synced['profile']}: {synced['usable']} of {synced['numbers']} can send{why}")
