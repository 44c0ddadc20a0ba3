"""The bare loop: aiohttp, uvloop and orjson post ready-made bodies and parse each answer's id. No Redis, no rates, no record.

What a sender without promises could reach at best on the same machine, tuned: one session, as many connections as serve
it best, the collector calmed, the same timeout, headers and bodies as the worker's.
"""

import argparse
import asyncio
import gc
from collections.abc import Iterator

import orjson
import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from bench.people import requests
from volley.carrier.reference import secrets_of
from volley.carrier.telnyx import session_headers

CONCURRENCY = 50


async def sender(session: ClientSession, url: str, queue: Iterator[tuple[bytes, str]]) -> int:
    accepted = 0
    for request, key in queue:
        async with session.post(url, data=request, headers={"Idempotency-Key": key}, allow_redirects=False) as answer:
            document = orjson.loads(await answer.read())
            accepted += bool(document["data"]["id"])
    return accepted


async def post_all(url: str, ready: list[tuple[bytes, str]], api_key: str, concurrency: int) -> int:
    """How many were accepted."""
    async with ClientSession(
        connector=TCPConnector(limit=concurrency, keepalive_timeout=15.0, ttl_dns_cache=60),
        headers=session_headers(api_key),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=10.0, connect=5.0),
    ) as session:
        queue = iter(ready)
        return sum(await asyncio.gather(*(sender(session, url, queue) for _ in range(concurrency))))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--senders", required=True)
    parser.add_argument("--public-url", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY)
    options = parser.parse_args()
    secret = secrets_of(options.secret)[0]
    ready = list(requests(options.count, options.senders.split(","), options.public_url, secret))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    print("ready", flush=True)
    print(uvloop.run(post_all(f"{options.url}/messages", ready, options.key, options.concurrency)), flush=True)


if __name__ == "__main__":
    main()
