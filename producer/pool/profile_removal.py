"""A messaging profile is deleted: our pool of it is emptied first, so that nothing more is sent through it."""

import contextlib
from dataclasses import dataclass

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
class Candidate:
    """A profile that may be deleted: its senders at the carrier, type → number, and how many messages wait for it here. Without a `name`
    the carrier has it no longer."""

    profile_id: str
    name: str
    senders: dict[str, int]
    waiting: int

    @property
    def question(self) -> str:
        """What somebody is asked who wants it deleted."""
        queue = f" {self.waiting} messages wait here and nobody will send them." if self.waiting else ""
        if not self.name:
            return f"The carrier has no such profile any more. Empty our pool of it?{queue}"
        numbers = ", ".join(f"{count} {kind}" for kind, count in self.senders.items()) or "no senders"
        return f"Delete profile {self.name!r} with {numbers}?{queue}"


@dataclass(frozen=True, slots=True)
class Removal:
    """Works at the carrier and, where there is an `outbox`, in our pool."""

    settings: Settings
    api: TelnyxApi
    outbox: Outbox | None

    async def look(self, profile_id: str) -> Candidate:
        """What hangs on a profile; changes nothing.

        Raises:
            UnusableInput: no such profile there or here.
            TryAgainLater: the carrier or Redis is away.
        """
        try:
            profile = await profiles_api.profile(self.api, profile_id)
            name, senders = profile.name, await counts(self.api, profile_id)
        except Missing:
            name, senders = "", {}
            if not await self._pool(profile_id):
                raise
        return Candidate(profile_id, name, senders, await self._waiting(profile_id))

    async def run(self, found: Candidate) -> None:
        """Deletes; of one that the carrier has no longer our pool is emptied.

        Raises:
            UnusableInput: the carrier does not let it go; our pool is as it was.
            TryAgainLater: the carrier or Redis is away.
        """
        pool = await self._pool(found.profile_id)
        if self.outbox is not None:
            await take_out(self.outbox, pool)
        if not found.name:
            return
        try:
            await profiles_api.delete(self.api, found.profile_id)
        except VolleyError:
            with contextlib.suppress(VolleyError):
                if self.outbox is not None and pool:
                    await sync(self.settings, self.outbox, found.profile_id)
            raise

    async def _pool(self, profile_id: str) -> list[Sender]:
        """Those that may still send for it here."""
        views = [] if self.outbox is None else await self.outbox.senders(profile_id)
        return [view.sender for view in views if view.sender.active]

    async def _waiting(self, profile_id: str) -> int:
        views = [] if self.outbox is None else await self.outbox.profiles()
        return sum(view.depth for view in views if view.profile == profile_id)
