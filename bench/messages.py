"""`POST /v1/messages` at 100 a second beside a bulk campaign at 500 a second, against an empty handler that waits for one barrier.

    python -m bench.messages [--rounds 3] [--quick]

Open loop: requests go when they are meant to, whatever became of those before them, and a latency is counted from that moment. In
one and the same run both handlers are asked 100 times a second, with half a period between them, each in a process of its own; one
worker sends the bulk campaign, whose own rate is 500/s, and the messages. Serve, worker and the empty handler share the first core;
Redis, the carrier and who asks have the second one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import median
from typing import NamedTuple

import orjson
from aiohttp import ClientSession, TCPConnector

from bench.figures import percentile
from bench.people import FIRST
from bench.rig import Rig
from bench.send import SENDERS, UNBOUND, line
from bench.table import Figure, sizes, tell
from volley.embedded import free_port
from volley.sandbox.config import PROFILE_ID

A_SECOND = 100
BULK_A_SECOND = 500
SETTLED_S = 3.0
TIMES = 5.0
WARM = 50
PEOPLE = 13_125_550_000
"""Those who get single messages: each another one."""


class Latencies(NamedTuple):
    """Milliseconds from the moment at which a request was to go until its answer was there."""

    messages: list[float]
    empty: list[float]

    @property
    def ratio(self) -> float:
        return percentile(self.messages, 0.99) / percentile(self.empty, 0.99)


Ask = Callable[[int], Awaitable[None]]


async def open_loop(ask: Ask, count: int, start_s: float) -> list[float]:
    """Latencies of so many requests, one each hundredth of a second from `start_s` (monotonic) on."""

    async def one(number: int, due_s: float) -> float:
        await ask(number)
        return (time.monotonic() - due_s) * 1e3

    asked = []
    for number in range(count):
        due_s = start_s + number / A_SECOND
        await asyncio.sleep(due_s - time.monotonic())
        asked.append(asyncio.create_task(one(number, due_s)))
    return await asyncio.gather(*asked)


def messages(session: ClientSession, url: str, headers: dict[str, str], first: int) -> Ask:
    async def ask(number: int) -> None:
        body = {"profile": PROFILE_ID, "to": f"+{first + number}", "text": f"Your code is {number:06d}"}
        own = headers | {"Idempotency-Key": f"code-{first + number}", "Content-Type": "application/json"}
        async with session.post(f"{url}/v1/messages", data=orjson.dumps(body), headers=own) as answer:
            if answer.status != 202:
                raise RuntimeError(f"{answer.status}: {await answer.text()}")
            await answer.read()

    return ask


def empty(session: ClientSession, url: str) -> Ask:
    async def ask(number: int) -> None:
        async with session.post(url, data=b"{}") as answer:
            await answer.read()

    return ask


async def measure(seconds: float, rounds: int) -> list[Latencies]:
    async with Rig([UNBOUND] * SENDERS, UNBOUND) as bench, AsyncExitStack() as stack:
        url, headers, port = bench.start_serve(), await bench.key("send"), free_port()
        child = bench.start("empty", "bench.empty", "--redis", bench.valkey.url, "--port", str(port))
        await line(child)
        await bench.start_workers()
        await bench.answers(url)
        await _bulk(bench, int(BULK_A_SECOND * (SETTLED_S + (seconds + SETTLED_S) * rounds) * 1.5))
        session = await stack.enter_async_context(ClientSession(connector=TCPConnector(limit=0)))
        for number in range(WARM):  # tables of numbers and prices are read when the first one comes
            await messages(session, url, headers, PEOPLE - WARM)(number)
        found = []
        for number in range(rounds):
            await asyncio.sleep(SETTLED_S)
            start_s, count = time.monotonic() + 0.1, int(seconds * A_SECOND)
            ours = messages(session, url, headers, PEOPLE + number * count)
            both = (
                open_loop(ours, count, start_s),
                open_loop(empty(session, f"http://127.0.0.1:{port}/"), count, start_s + 0.5 / A_SECOND),
            )
            found.append(Latencies(*await asyncio.gather(*both)))
        return found


async def _bulk(bench: Rig, count: int) -> None:
    people = range(FIRST, FIRST + count)
    campaign = await bench.admit(people)
    await bench.seal(replace(campaign, rate_milli=BULK_A_SECOND * 1000))


def figures(found: list[Latencies]) -> list[Figure]:
    def told(name: str, share: float) -> tuple[float, float]:
        return (
            median(percentile(each.messages, share) for each in found),
            median(percentile(each.empty, share) for each in found),
        )

    half, most = told("median", 0.5), told("p99", 0.99)
    return [
        Figure("POST /v1/messages, median", half[0], "ms"),
        Figure("empty handler and one barrier, median", half[1], "ms"),
        Figure("POST /v1/messages, 99 % at most", most[0], "ms"),
        Figure("empty handler and one barrier, 99 % at most", most[1], "ms"),
        Figure("p99 / that of the empty handler", median(each.ratio for each in found), "×", most=TIMES),
    ]


def main() -> None:
    options = sizes("messages", rounds=3)
    found = asyncio.run(measure(*((5.0, 1) if options.quick else (20.0, options.rounds))))
    tell("messages", figures(found), notes=[f"by round: {', '.join(f'{each.ratio:.2f}' for each in found)}"])


if __name__ == "__main__":
    main()
