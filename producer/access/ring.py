"""The keys as requests are checked against them: in memory, a few seconds old at most, the last known while the database is away."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from producer.access.keys import ApiKey, fits, id_of
from volley.errors import TryAgainLater

log = logging.getLogger(__name__)

Load = Callable[[], Awaitable[list[ApiKey]]]

FRESH_S = 2.0
"""A key is revoked everywhere this long after the database knows it."""
_APART_S = 0.25
"""Between two looks: a key that was made just now works after this at most, and guesses cost the database nothing."""
_PATIENCE_S = 2.0


class KeyRing:
    """`load` reads all keys of an account. `run` must be running while `find` is used."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._keys: dict[str, ApiKey] = {}
        self._looked_s = float("-inf")
        self._looking = asyncio.Lock()
        self._away = False

    async def run(self) -> None:
        """Keeps the keys fresh until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(FRESH_S)

    async def find(self, token: str, now_us: int) -> ApiKey | None:
        """The key that a token belongs to, if it may be used now.

        Raises:
            TryAgainLater: it is not among those known, and the database does not answer: it may be a new one.
        """
        name = id_of(token)
        if name is None:
            return None
        if name not in self._keys:
            await self._look()
            if self._away:
                raise TryAgainLater("the API keys cannot be read at this moment, and this one is not among those known")
        key = self._keys.get(name)
        return key if key is not None and fits(key, token) and key.usable(now_us) else None

    def holds(self, key: ApiKey, now_us: int) -> bool:
        """Whether a key that was found may still be used."""
        known = self._keys.get(key.id)
        return known is not None and known.usable(now_us)

    async def _look(self) -> None:
        """Returns when the keys have been read once more; one reading is for all who wait. Where the database is away they stay."""
        asked_s = time.monotonic()
        async with self._looking:
            if self._looked_s >= asked_s:
                return
            await asyncio.sleep(max(0.0, self._looked_s + _APART_S - asked_s))
            self._looked_s = time.monotonic()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    self._keys = {key.id: key for key in await self._load()}
                self._away = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the keys that are known go on working
                self._away = True
                log.warning("API keys could not be read, those known go on working: %s", type(error).__name__)
