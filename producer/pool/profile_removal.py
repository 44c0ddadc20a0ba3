"""A messaging profile is deleted: our pool of it is emptied first, so that nothing more is sent through it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from producer.pool.assignments import take_out
from producer.pool.profiles import counts
from producer.pool.sync import sync
from volley.carrier import profiles_api
from volley.carrier.api import Missing, TelnyxApi
from volley.errors import VolleyError
from volley.outbox.outbox import Outbox
from volley.sender import Sender
from volley.settings import Settings


@dataclass(frozen=True, slots=True)
class Removal:
    """Works at the carrier and, where there is an `outbox`, in our pool."""

    settings: Settings
    api: TelnyxApi
    outbox: Outbox | None

    async def run(self, profile_id: str, confirmed: Callable[[str], bool] | None) -> dict[str, Any]:
        """Deletes, once `confirmed` (None: it is) says yes to a question that tells what hangs on the profile. Of one that the
        carrier has no longer our pool is emptied.

        Raises:
            UnusableInput: no such profile there or here, or the carrier does not let it go; our pool is as it was.
            TryAgainLater: the carrier or Redis is away.
        """
        try:
            profile = await profiles_api.profile(self.api, profile_id)
            name, senders = profile.name, await counts(self.api, profile_id)
        except Missing:
            name, senders = "", {}
            if not await self._pool(profile_id):
                raise
        waiting = await self._waiting(profile_id)
        found = {"profile_id": profile_id, "name": name, "senders": senders, "waiting": waiting}
        if confirmed is not None and not confirmed(_question(name, senders, waiting)):
            return {**found, "deleted": False}
        await self._delete(profile_id, gone=not name)
        return {**found, "deleted": True}

    async def _pool(self, profile_id: str) -> list[Sender]:
        """Those that may still send for it here."""
        views = [] if self.outbox is None else await self.outbox.senders(profile_id)
        return [view.sender for view in views if view.sender.active]

    async def _waiting(self, profile_id: str) -> int:
        views = [] if self.outbox is None else await self.outbox.profiles()
        return sum(view.depth for view in views if view.profile == profile_id)

    async def _delete(self, profile_id: str, *, gone: bool) -> None:
        pool = await self._pool(profile_id)
        if self.outbox is not None:
            await take_out(self.outbox, pool)
        if gone:
            return
        try:
            await profiles_api.delete(self.api, profile_id)
        except VolleyError:
            with contextlib.suppress(VolleyError):
                if self.outbox is not None and pool:
                    await sync(self.settings, self.outbox, profile_id)
            raise


def _question(name: str, senders: dict[str, int], waiting: int) -> str:
    numbers = ", ".join(f"{count} {kind}" for kind, count in senders.items()) or "no senders"
    if not name:
        return f"The carrier has no such profile any more. Empty our pool of it?{_queue(waiting)}"
    return f"Delete profile {name!r} with {numbers}?{_queue(waiting)}"


def _queue(waiting: int) -> str:
    return f" {waiting} messages wait here and nobody will send them." if waiting else ""
