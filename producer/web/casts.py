"""Who sends what is gathered, as the pool was a moment ago: campaigns of a few messages are made many times a second, and each
would read the whole pool of its account.
"""

import asyncio
import contextlib
from time import monotonic

from producer.push.cast import Cast, choose
from producer.push.request import PushRequest
from volley.errors import VolleyError
from volley.outbox.outbox import Outbox
from volley.settings import Settings

FRESH_S, KEPT_S = 1.0, 3.0
"""A choice that is no longer fresh is made anew beside, and holds meanwhile, if it is not older than the second."""


class Casts:
    """`choose` as intake asks for it. `close` ends what is on its way."""

    def __init__(self, fresh_s: float = FRESH_S, kept_s: float = KEPT_S) -> None:
        self._fresh_s, self._kept_s = fresh_s, kept_s
        self._held: dict[PushRequest, tuple[float, Cast]] = {}
        self._renewing: dict[PushRequest, asyncio.Task[None]] = {}

    @property
    def renewing(self) -> bool:
        return bool(self._renewing)

    async def choose(self, outbox: Outbox, settings: Settings, request: PushRequest) -> Cast:
        """Raises what `cast.choose` raises."""
        now_s = monotonic()
        at_s, cast = self._held.get(request, (float("-inf"), None))
        if cast is None or now_s - at_s >= self._kept_s:
            return await self._choose(outbox, settings, request)
        if now_s - at_s >= self._fresh_s and request not in self._renewing:
            task = self._renewing[request] = asyncio.create_task(self._renew(outbox, settings, request))
            task.add_done_callback(lambda _: self._renewing.pop(request, None))
        return cast

    async def _choose(self, outbox: Outbox, settings: Settings, request: PushRequest) -> Cast:
        began_s = monotonic()
        cast = await choose(outbox, settings, request)
        kept = {name: held for name, held in self._held.items() if began_s - held[0] < self._kept_s}
        self._held = kept | {request: (began_s, cast)}
        return cast

    async def _renew(self, outbox: Outbox, settings: Settings, request: PushRequest) -> None:
        try:
            await self._choose(outbox, settings, request)
        except VolleyError:
            # whoever comes next asks itself, and is told
            self._held.pop(request, None)

    async def close(self) -> None:
        tasks = [*self._renewing.values()]
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
