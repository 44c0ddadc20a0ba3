"""Assigns senders to a profile, or takes them out, at the carrier and in our pool, so that nothing is sent from what is not ours.

The order matters: a sender that leaves a profile leaves our pool first, then the carrier is told, then the pool is synced.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from producer.pool.mover import Mover
from producer.pool.moves import Move, plan
from producer.pool.named import Names
from producer.pool.sync import EmptyPool, sync
from volley.carrier import profiles_api
from volley.carrier.api import TelnyxApi
from volley.carrier.bulk_api import Order
from volley.errors import TryAgainLater, UnusableInput, VolleyError
from volley.numbers import NotSendable, country, parse
from volley.outbox.outbox import Outbox
from volley.sender import Sender
from volley.settings import Settings

_GRANTS_LAST_S = 0.7
"""A grant is on the wire or given back within this: 250 ms ahead at most, 300 ms late at most."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What became of all. `profile` "" : out of the profile that they were in. `planned` is filled in by a dry run alone.

    Each of `synced` is what a sync says, or a profile, its `problem`, and whether the pool is as the carrier has it
    nevertheless (`stored`), or may be after another sync (`try_again`).
    """

    profile: str
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    synced: list[dict[str, Any]] = field(default_factory=list)
    planned: list[Move] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 all, 3 some, 1 none; 75 where our pool does not know it yet. A pool that its last sender has left is no failure."""
        problems = [synced for synced in self.synced if "problem" in synced]
        if any(each["try_again"] for each in problems):
            return TryAgainLater.exit_code
        if self.failed and not self.done:
            return 1
        wrong = [each for each in problems if not each["stored"] or each["profile"] == self.profile]
        return 3 if self.failed or wrong else 0

    def as_json(self) -> dict[str, Any]:
        return {
            "profile": self.profile or None,
            "dry_run": bool(self.planned),
            "done": self.done,
            "failed": [{"number": number, "reason": reason} for number, reason in self.failed.items()],
            "orders": self.orders,
            "synced": self.synced,
        }


@dataclass(frozen=True, slots=True)
class Assigner:
    """Works at the carrier and, where there is an `outbox`, in our pool. `tell` hears of orders that are not over yet."""

    settings: Settings
    api: TelnyxApi
    outbox: Outbox | None
    tell: Callable[[Order], None] = lambda _: None

    async def assign(self, names: Names, profile: str, *, fallback: str = "", dry_run: bool = False) -> Assignment:
        """`fallback`: the long code that sends to the US in place of a new alphanumeric ID.

        Raises:
            UnusableInput: no such profile, a fallback that can be none; nothing was changed.
            TryAgainLater: the carrier or Redis is away; nothing was changed.
        """
        fallback = _fallback(names, fallback)
        await profiles_api.profile(self.api, profile)
        return await self._move(names, profile, "", fallback, dry_run)

    async def unassign(self, names: Names, *, source: str = "", dry_run: bool = False) -> Assignment:
        """With a `source` only senders of that profile are taken out. Raises as `assign` does."""
        if source:
            await profiles_api.profile(self.api, source)
        return await self._move(names, "", source, "", dry_run)

    async def _move(self, names: Names, target: str, source: str, fallback: str, dry_run: bool) -> Assignment:
        moves = await plan(self.api, names, target, source)
        if dry_run:
            return Assignment(
                target,
                done=[move.sender.name for move in moves if not move.problem],
                failed={move.sender.name: move.problem for move in moves if move.problem},
                planned=moves,
            )
        left = await self._withdraw([move for move in moves if not move.problem], target)
        mover = Mover(self.api, target, fallback=fallback, tell=self.tell)
        await mover.carry_out(moves)
        touched = [target, *left] if target and mover.done else left
        synced = [] if self.outbox is None else [await self._sync(self.outbox, profile) for profile in touched]
        return Assignment(target, mover.done, mover.failed, mover.orders, synced)

    async def _withdraw(self, moves: Sequence[Move], target: str) -> list[str]:
        """Takes what is to leave a profile out of our pool; answers the profiles that lose something."""
        if self.outbox is None:
            return []
        leaving = {move.sender.name for move in moves if move.sender.shape != "alphanumeric"}
        ids = set() if target else {(move.sender.name, move.at) for move in moves}
        pool = [view.sender for view in await self.outbox.senders()]
        out = [
            sender
            for sender in pool
            if (sender.number in leaving and sender.profile != target) or (sender.number, sender.profile) in ids
        ]
        await take_out(self.outbox, out)
        return list(dict.fromkeys(sender.profile for sender in out))

    async def _sync(self, outbox: Outbox, profile: str) -> dict[str, Any]:
        """What the pool of a profile is now, or the problem that a sync had with it."""
        try:
            return (await sync(self.settings, outbox, profile)).as_json()
        except VolleyError as error:
            away, stored = isinstance(error, TryAgainLater), isinstance(error, EmptyPool)
            again = f"; try again: volley numbers sync --profile {profile}" if away else ""
            return {"profile": profile, "problem": f"{error}{again}", "try_again": away, "stored": stored}


async def take_out(outbox: Outbox, senders: Sequence[Sender]) -> None:
    """Once this returns nothing more goes out from these senders."""
    if await outbox.withdraw(senders):
        await asyncio.sleep(_GRANTS_LAST_S)


def _fallback(names: Names, given: str) -> str:
    if not given:
        return ""
    if not names.of("alphanumeric"):
        raise UnusableInput("--us-fallback is for alphanumeric IDs, and there is none among these")
    try:
        number = parse(given, None)
    except NotSendable as error:
        raise UnusableInput(f"--us-fallback: {error.reason}: write a long code as +E.164") from None
    if country(number) != "US":
        raise UnusableInput("--us-fallback is no US number")
    return f"+{number}"
