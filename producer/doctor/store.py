"""Redis: new enough, keeps what it acknowledges, drops nothing by itself, and how much a write to its disk costs."""

import re
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from producer.doctor.account import judge_clock
from producer.doctor.verdict import Verdict, failed, ok, warning
from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.client import Redis
from volley.outbox.connect import connect, where
from volley.outbox.outbox import Outbox
from volley.settings import Settings

_OLDEST = {"redis": (7, 2), "valkey": (7, 2)}
"""Both have WAITAOF from there on: the durability barrier."""
_WRITES = 20
_BARRIER_MS = 200
_SLOW_BARRIER_S = 0.01
_FULL, _ALMOST_FULL = 0.95, 0.8

Check = Callable[[Redis, Settings], Awaitable[Verdict]]


async def check(outbox: Outbox, settings: Settings) -> list[Verdict]:
    """A server that will not tell gets a warning on that line, and the other lines stay."""
    found = [await _asked(name, work, outbox.redis, settings) for name, work in _CHECKS.items()]
    if settings.durability == "strict":
        found.append(await barrier(outbox))
    return [*found, *await queue(settings)]


async def _asked(name: str, work: Check, redis: Redis, settings: Settings) -> Verdict:
    try:
        return await work(redis, settings)
    except RedisError as error:
        found = f"cannot be read ({type(error).__name__})"
        return warning(name, found, "a managed server may refuse CONFIG and INFO: look it up in its console")


async def version(redis: Redis, _settings: Settings) -> Verdict:
    info = await redis.info("server")
    name = str(info.get("server_name", "redis"))
    text = str(info.get(f"{name}_version", info.get("redis_version", "0")))
    numbers = tuple(int(each) for each in re.findall(r"\d+", text)[:2])
    if numbers < _OLDEST.get(name, (7, 2)):
        return failed("Redis version", f"{name} {text} has no WAITAOF", "use Redis or Valkey 7.2 or newer")
    return ok("Redis version", f"{name} {text}")


async def eviction(redis: Redis, _settings: Settings) -> Verdict:
    policy = (await redis.config_get("maxmemory-policy")).get("maxmemory-policy", "")
    if policy == "noeviction":
        return ok("Redis eviction", "noeviction")
    found = f"maxmemory-policy is {policy or 'not told'}: under pressure Redis would drop messages"
    return failed("Redis eviction", found, "CONFIG SET maxmemory-policy noeviction, and in redis.conf")


async def persistence(redis: Redis, settings: Settings) -> Verdict:
    held = await redis.config_get("append*")
    wrong = [f"{name} {held.get(name, '?')}" for name, right in _DURABLE.items() if held.get(name) != right]
    if not wrong:
        return ok("Redis persistence", "appendonly yes, appendfsync always")
    todo = "CONFIG SET appendonly yes and appendfsync always, and in redis.conf"
    say = failed if settings.durability == "strict" else warning
    return say("Redis persistence", f"{', '.join(wrong)}: a crash may forget what was acknowledged", todo)


_DURABLE = {"appendonly": "yes", "appendfsync": "always"}


async def memory(redis: Redis, _settings: Settings) -> Verdict:
    info: dict[str, Any] = await redis.info("memory")
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    megabytes = f"{used / 1e6:,.0f} MB used"
    if not most:
        return ok("Redis memory", f"{megabytes}, no maxmemory")
    found = f"{megabytes} of {most / 1e6:,.0f} MB"
    if used < _ALMOST_FULL * most:
        return ok("Redis memory", found)
    say = failed if used > _FULL * most else warning
    return say("Redis memory", found, "raise maxmemory: when it is full, pushes are refused and sending stops")


async def replication(redis: Redis, settings: Settings) -> Verdict:
    info = await redis.info("replication")
    if info.get("role") != "master":
        return failed(
            "Redis replication", "this server is a replica and takes no writes", "VOLLEY_REDIS_URL names the primary"
        )
    replicas = int(info.get("connected_slaves", 0))
    found = f"primary, {replicas} replicas" if replicas else "primary, no replica"
    wanted, name = settings.replicas, "min-replicas-to-write"
    if wanted and int((await redis.config_get(name)).get(name, "0")) < wanted:
        todo = f"CONFIG SET {name} {wanted} on each server, and in redis.conf"
        return failed(
            "Redis replication", f"{found}; takes writes without them although VOLLEY_REPLICAS is {wanted}", todo
        )
    if replicas < wanted:
        return failed("Redis replication", f"{found}; VOLLEY_REPLICAS is {wanted}", "start them, or nothing is sent")
    return ok("Redis replication", found)


async def clock(redis: Redis, _settings: Settings) -> Verdict:
    before = time.time()
    seconds, micros = await redis.time()
    return judge_clock("Redis clock", "Redis", int(seconds) + int(micros) / 1e6 - (before + time.time()) / 2)


_CHECKS: dict[str, Check] = {
    "Redis version": version,
    "Redis eviction": eviction,
    "Redis persistence": persistence,
    "Redis memory": memory,
    "Redis replication": replication,
    "Redis clock": clock,
}


async def barrier(outbox: Outbox) -> Verdict:
    """The median of a few writes that wait for the disk, as every grant does."""
    check = "Redis barrier"
    try:
        times = [await _barrier_once(outbox) for _ in range(_WRITES)]
    except (RedisError, TryAgainLater) as error:
        todo = "WAITAOF must work: appendonly yes, and a disk that answers"
        return failed(check, f"a write was not confirmed ({type(error).__name__})", todo)
    took_s = statistics.median(times)
    found = f"a write is on the disk after {took_s * 1000:.2f} ms (median of {_WRITES})"
    if took_s > _SLOW_BARRIER_S:
        return warning(check, found, "put Redis' append-only file on a faster disk: every take waits for it")
    return ok(check, found)


async def _barrier_once(outbox: Outbox) -> float:
    started = time.perf_counter()
    pipeline = outbox.redis.pipeline(transaction=False)
    pipeline.execute_command("HSET", outbox.keys.of("probe"), "barrier", time.time_ns() // 1000)
    pipeline.execute_command("WAITAOF", 1, 0, _BARRIER_MS)
    _, synced = await pipeline.execute()
    if synced[0] < 1:
        raise TryAgainLater("not confirmed")
    return time.perf_counter() - started


async def queue(settings: Settings) -> list[Verdict]:
    """arq's server, where it is another one."""
    url = settings.arq_redis_url
    if not url or url == settings.current.redis_url:
        return []
    try:
        redis = await connect(url, check=False)
    except (TryAgainLater, UnusableInput):
        return [failed("arq Redis", f"nobody answers at {where(url)}", "start it, or set VOLLEY_ARQ_REDIS_URL")]
    await redis.aclose()
    return [ok("arq Redis", f"answers at {where(url)}")]
