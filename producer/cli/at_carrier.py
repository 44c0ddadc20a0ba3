"""The carrier's API on the desk for the length of one command, and our pool beside it where a Redis is configured."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from producer.carrier import carrier
from producer.cli.desk import Desk, seated
from producer.cli.output import note
from volley.carrier.api import TelnyxApi
from volley.errors import VolleyError
from volley.outbox.outbox import Outbox
from volley.settings import Settings, load

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counter:
    """What a command works with. `outbox` is None where no Redis is configured, or none is wanted."""

    settings: Settings
    api: TelnyxApi
    outbox: Outbox | None = None


def at_carrier(work: Callable[[Counter], Awaitable[T]], *, with_pool: bool = False) -> T:
    """Runs one command's work with the settings of this process.

    Raises:
        UnusableInput: no API key; with a pool also a Redis that may lose what it acknowledged.
        TryAgainLater: a Redis that is configured and away.
    """
    settings = load()

    async def opened(outbox: Outbox | None) -> T:
        async with carrier(settings.current) as api:
            return await work(Counter(settings, api, outbox))

    async def seat(desk: Desk) -> T:
        return await opened(desk.outbox)

    return asyncio.run(seated(settings, seat) if with_pool and settings.current.redis_url else opened(None))


async def recorded(counter: Counter, what: str, **detail: object) -> None:
    """Records what was done at the carrier, where a Redis is configured. It is done by now: a Redis that is away is only noted."""
    if not counter.settings.current.redis_url:
        return
    try:
        await seated(counter.settings, lambda desk: desk.outbox.record_action(what, **detail))
    except VolleyError as error:
        note(f"this is done, and could not be recorded: {error}")
