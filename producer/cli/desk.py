"""The outbox on the desk for the length of one command. Redis errors become TryAgainLater, whoever meets them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from redis.exceptions import RedisError

from volley.campaign import Campaign
from volley.errors import TryAgainLater
from volley.outbox.actions import at_the_command_line
from volley.outbox.opening import open_outbox
from volley.outbox.outbox import Outbox
from volley.settings import Settings, load

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with."""

    settings: Settings
    outbox: Outbox


async def seated(settings: Settings, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Connects, works, disconnects. What is done is recorded as done by this user on this host.

    Raises:
        UnusableInput: no Redis is named, or one that may lose what it acknowledged.
        TryAgainLater: Redis is away, or goes away meanwhile.
    """
    _ = settings.queue_url  # refused before anything is done
    outbox = (await open_outbox(settings)).by(at_the_command_line())
    try:
        return await work(Desk(settings, outbox))
    except RedisError as error:
        raise TryAgainLater(f"Redis went away ({type(error).__name__}); try again when it is back") from error
    finally:
        await outbox.redis.aclose()


async def arm(desk: Desk, campaign: Campaign) -> None:
    """Wakes a worker for a campaign that can go now. If that fails, the sweeper finds it within seconds."""
    from volley.outbox.queue import Queue, pool

    queue = Queue(pool(desk.settings.queue_url), desk.outbox, desk.settings.account)
    try:
        with contextlib.suppress(TryAgainLater):
            await queue.arm(campaign.id, campaign.priority)
    finally:
        await queue.close()


def at_desk(work: Callable[[Desk], Awaitable[T]]) -> T:
    """Runs one command's work with the settings of this process."""
    return asyncio.run(seated(load(), work))
