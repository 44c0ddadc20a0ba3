"""The way into Redis: timeouts set, retries off, and the server's promises checked before anything relies on them."""

from typing import Any, cast
from urllib.parse import urlsplit

import redis.asyncio
from redis.exceptions import RedisError

from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.client import Redis
from volley.outbox.primary import SCHEMES, pool

_SOCKET_TIMEOUT_S = 5.0


def client(url: str, *, account: str = "default", connections: int = 64) -> Redis:
    """A client that never repeats a command on its own: a repeated take or settle is decided by the outbox alone.

    `account` tells a Cluster's nodes apart: its keys are on one of them.
    """
    connected = pool(
        url,
        account,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_SOCKET_TIMEOUT_S,
        health_check_interval=0,
        retry_on_timeout=False,
        max_connections=connections,
    )
    made: Any = redis.asyncio.Redis.from_pool(connected)
    return cast("Redis", made)


async def connect(
    url: str | None, *, account: str = "default", relaxed: bool = False, replicas: int = 0, check: bool = True
) -> Redis:
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
        found = client(url, account=account)
    except ValueError as error:
        raise UnusableInput(f"VOLLEY_REDIS_URL: {error}") from None
    try:
        await found.ping()
        if check and not relaxed:
            await _check_durable(found)
            await _check_replicas(found, replicas)
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
    """Host and port of a URL, without its password; of a URL that names several, all of them."""
    if url.startswith(SCHEMES):
        return url.partition("://")[2].rpartition("@")[2]
    parts = urlsplit(url)
    return f"{parts.hostname or parts.path}:{parts.port or 6379}"


async def _check_durable(found: Redis) -> None:
    held = await found.config_get("append*")
    if held.get("appendonly") != "yes" or held.get("appendfsync") != "always":
        raise UnusableInput(
            "this Redis may forget what it acknowledged: set appendonly yes and appendfsync always, "
            'or accept the risk with VOLLEY_DURABILITY="relaxed"'
        )


async def _check_replicas(found: Redis, replicas: int) -> None:
    """WAIT says what has happened; only this keeps a primary that was cut off from taking writes that it will lose."""
    name = "min-replicas-to-write"
    if replicas and int((await found.config_get(name)).get(name, "0")) < replicas:
        raise UnusableInput(
            f"VOLLEY_REPLICAS is {replicas}, and this Redis takes writes without them: set {name} {replicas} on each of its "
            "servers, or VOLLEY_REPLICAS=0"
        )
