"""The obvious way, done well: arq with one job a message. What Volley is measured against, not a part of it.

Each job claims a sender and a place in the rate (one script: pin, else the next number; a token bucket), posts, and
writes what came of it into a hash. Tuned as a competent team would: msgpack instead of pickle, no results kept, uvloop,
hiredis, one session, no polling delay, as many jobs at once as serve it best, the collector calmed. Its Redis writes to
disk once a second where Volley's does at every batch. It has no answer to a crash between claim and record.
"""

import argparse
import asyncio
import gc
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgpack
import orjson
import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from arq.connections import ArqRedis
from arq.typing import WorkerCoroutine
from arq.worker import Retry, Worker, func
from redis.asyncio import ConnectionPool

from volley.carrier.telnyx import body, session_headers
from volley.sandbox.config import PROFILE_ID

MAX_JOBS = 20
READ_LIMIT = 400
STATE = "baseline:state"
_SENDERS = "baseline:senders"
_CONNECTIONS = 64

# KEYS: pins, senders, tat · ARGV: recipient, µs a message · answers the sender and how long to wait, µs
_CLAIM = """
local sender = redis.call('HGET', KEYS[1], ARGV[1])
if not sender then
  sender = redis.call('LMOVE', KEYS[2], KEYS[2], 'LEFT', 'RIGHT')
  redis.call('HSET', KEYS[1], ARGV[1], sender)
end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local tat = math.max(now, tonumber(redis.call('HGET', KEYS[3], sender) or 0))
if tat - now > 50000 then return {sender, tat - now} end
redis.call('HSET', KEYS[3], sender, string.format('%.0f', tat + ARGV[2]))
return {sender, 0}
"""
_CLAIM_HASH = hashlib.sha1(_CLAIM.encode()).hexdigest()


def packed(job: dict[str, Any]) -> bytes:
    return bytes(msgpack.packb(job))


def unpacked(data: bytes) -> dict[str, Any]:
    return dict(msgpack.unpackb(data))


def client(url: str) -> ArqRedis:
    connections = ConnectionPool.from_url(url, max_connections=_CONNECTIONS * 4, socket_timeout=10.0)
    return ArqRedis(connections, job_serializer=packed, job_deserializer=unpacked)


async def command(redis: ArqRedis, *words: str | bytes | int) -> Any:
    """redis-py's own signatures cover two clients at once and so fit neither."""
    run = cast("Callable[..., Awaitable[Any]]", redis.execute_command)
    return await run(*words)


async def fill(url: str, senders: list[str], people: range, text: str) -> None:
    """Puts the jobs on the queue, a hundred at a time."""
    redis = client(url)
    await redis.script_load(_CLAIM)
    await command(redis, "RPUSH", _SENDERS, *senders)
    for at in range(0, len(people), _CONNECTIONS):
        part = people[at : at + _CONNECTIONS]
        await asyncio.gather(*(redis.enqueue_job("send", f"m-{to}", f"+{to}", text, _job_id=f"m-{to}") for to in part))
    await redis.aclose()


async def send(context: dict[str, Any], message: str, to: str, text: str) -> None:
    """One message from claim to record."""
    redis: ArqRedis = context["redis"]
    keys = ("baseline:pins", _SENDERS, "baseline:tat")
    sender, wait_us = await command(redis, "EVALSHA", _CLAIM_HASH, 3, *keys, to, 1)
    if wait_us:
        raise Retry(defer=wait_us / 1e6)
    session: ClientSession = context["session"]
    request = body(to, sender.decode(), text, PROFILE_ID)
    async with session.post(context["url"], data=request, headers={"Idempotency-Key": message}) as answer:
        data = orjson.loads(await answer.read())["data"]
    record = {"id": data["id"], "from": sender.decode(), "parts": data["parts"], "cost": data["cost"]}
    await command(redis, "HSET", STATE, message, orjson.dumps(record))


async def work(options: argparse.Namespace) -> None:
    async with ClientSession(
        connector=TCPConnector(limit=options.max_jobs, keepalive_timeout=15.0),
        headers=session_headers(options.key),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=10.0, connect=5.0),
    ) as session:
        worker = Worker(
            functions=[func(cast("WorkerCoroutine", send), name="send", keep_result=0, max_tries=5)],
            redis_pool=client(options.redis),
            ctx={"session": session, "url": f"{options.url}/messages"},
            max_jobs=options.max_jobs,
            queue_read_limit=options.read_limit,
            poll_delay=0.005,
            keep_result=0,
            job_serializer=packed,
            job_deserializer=unpacked,
            log_results=False,
        )
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        print("ready", flush=True)
        await worker.async_run()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--max-jobs", type=int, default=MAX_JOBS)
    parser.add_argument("--read-limit", type=int, default=READ_LIMIT)
    uvloop.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
