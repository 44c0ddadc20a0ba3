"""The way into Redis: timeouts set, retries off, and the server's promises checked before anything relies on them."""

from urllib.parse import urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.client import Redis

_SOCKET_TIMEOUT_S = 5.0


def client(url: str, *, connections: int = 64) -> Redis:
    """A client that never repeats a command on its own: a repeated take or settle is decided by the outbox alone."""
    made: Redis = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_SOCKET_TIMEOUT_S,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        max_connections=connections,
    )
    return made


async def connect(url: str | None, *, relaxed: bool = False, check: bool = True) -> Redis:
    """A connected client.

    Raises:
        UnusableInput: no URL, a malformed one, or a server that may lose what it acknowledged (and `relaxed` is off).
        TryAgainLater: nobody answers there.
    """
    if not url:
        raise UnusableInput(
            "no Redis: set VOLLEY_REDIS_URL (redis://host:port/0), or run volley up, which brings its own"
        )
    try:
        found = client(url)
    except ValueError as error:
        raise UnusableInput(f"VOLLEY_REDIS_URL: {error}") from None
    try:
        await found.ping()
        if check and not relaxed:
            await _check_durable(found)
    except RedisError as error:
        await found.aclose()
        raise TryAgainLater(
            f"no Redis at {where(url)}: {type(error).__name__}; start it or set VOLLEY_REDIS_URL"
        ) from None
    except UnusableInput:
        await found.aclose()
        raise
    return found


def where(url: str) -> str:
    """Host and port of a URL, without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname or parts.path}:{parts.port or 6379}"


async def _check_durable(found: Redis) -> None:
    held = await found.config_get("append*")
    if held.get("appendonly") != "yes" or held.get("appendfsync") != "always":
        raise UnusableInput(
            "this Redis may forget what it acknowledged: set appendonly yes and appendfsync always, "
            'or accept the risk with VOLLEY_DURABILITY="relaxed"'
        )
