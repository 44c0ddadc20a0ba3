"""The doctor's rounds: every check in order, each line as soon as it is known. What cannot be asked is left out."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from redis.exceptions import RedisError

from producer.carrier import carrier
from producer.doctor import account, books, probe, store, values, webhooks, work
from producer.doctor.verdict import Verdict, failed, ok
from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.connect import connect, where
from volley.outbox.opening import outbox_over
from volley.outbox.outbox import Outbox
from volley.outbox.verdict import remembered
from volley.settings import Settings


async def rounds(settings: Settings) -> AsyncIterator[Verdict]:
    """Looks only: the one thing written is a small field in Redis, to see how long its disk takes."""
    for verdict in values.check(settings):
        yield verdict
    async with AsyncExitStack() as stack:
        outbox, redis = await _outbox(settings, stack)
        async for verdict in _carrier(settings, outbox):
            yield verdict
        for verdict in await webhooks.check(settings):
            yield verdict
        yield redis
        if outbox is not None:
            async for verdict in _redis(settings, outbox):
                yield verdict
    for verdict in await books.check(settings):
        yield verdict


async def _carrier(settings: Settings, outbox: Outbox | None) -> AsyncIterator[Verdict]:
    if settings.current.api_key is None:
        yield account.key("", settings.current)
        return
    answer = await account.ask(settings.current)
    yield account.reachable(answer)
    key = account.key(answer, settings.current)
    yield key
    clock = account.clock(answer)
    if clock is not None:
        yield clock
    if outbox is not None and key.state == "ok":
        async with carrier(settings.current) as api:
            async for verdict in account.profiles(api, outbox, settings):
                yield verdict


async def _redis(settings: Settings, outbox: Outbox) -> AsyncIterator[Verdict]:
    try:
        for verdict in await store.check(outbox, settings):
            yield verdict
        relaxed = settings.durability == "relaxed"
        for verdict in await work.check(outbox, settings.account, relaxed=relaxed):
            yield verdict
        came = await webhooks.received(outbox, settings)
        if came is not None:
            yield came
        yield await books.lag(outbox)
        yield probe.earlier(await remembered(outbox), time.time_ns() // 1000)
    except (RedisError, TryAgainLater) as error:
        yield failed("Redis", f"went away meanwhile ({type(error).__name__})", "see its log")


async def _outbox(settings: Settings, stack: AsyncExitStack) -> tuple[Outbox | None, Verdict]:
    """The way into Redis, whatever its settings are: judging them is a check of its own."""
    url = settings.current.redis_url
    try:
        redis = await connect(url, account=settings.account, check=False)
    except (TryAgainLater, UnusableInput) as error:
        return None, failed("Redis", str(error), "start it, or set VOLLEY_REDIS_URL")
    stack.push_async_callback(redis.aclose)
    return outbox_over(redis, settings), ok("Redis", f"answers at {where(url or '')}")
