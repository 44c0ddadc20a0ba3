"""What watching costs: a long run of sending, watched and unwatched in turns; and how long a look takes.

    python -m bench.watch [--rounds 8] [--quick]

Watched: in every second span of five seconds somebody has the page open (the live stream of the API), and a Prometheus scrapes. Such
a span is put beside the mean of the two around it, and the median of all of these is told. First it is the speed of one worker that
is compared, while `volley serve` runs on the second core with Redis and the carrier. Then nothing is sent, there are 1,000 campaigns
and 10,000 senders, and it is what serve and Redis use of a processor: that can be told on a busy machine too. There it is also told
how long looks take, each gathered anew.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from aiohttp import ClientSession, ClientTimeout

from bench.figures import beside, percentile
from bench.meter import Reading
from bench.people import FIRST, chunks, strangers
from bench.rig import Rig
from bench.send import BUSY, rig
from bench.table import Figure, sizes, tell
from volley.campaign import Campaign, new_campaign_id
from volley.outbox.chunks import encode
from volley.sender import Sender

SPAN_S = 5.0
SETTLED_S = 3.0
FASTEST = 6_000
"""Messages a second: more than a worker sends."""
_ASK_ANEW_S = 4.0
"""A snapshot is kept for a second, or for so many times what it took (producer/sight)."""


class Span(NamedTuple):
    """Between two moments: messages a second, and what was used of processors."""

    rate: float
    used: Reading


async def watching(url: str, headers: dict[str, str]) -> None:
    """A page that is open, and a scrape; until cancelled."""
    async with ClientSession(headers=headers, timeout=ClientTimeout(total=None)) as session:
        async with session.get(f"{url}/metrics") as answer:
            await answer.read()
        async with session.get(f"{url}/v1/facts/stream") as page:
            async for _ in page.content.iter_any():
                pass


async def sending(spans: int) -> list[Span]:
    """Of one worker at its fastest."""
    async with rig() as bench:
        url, headers = bench.start_serve(), await bench.key("read")
        await bench.start_workers()
        await bench.answers(url)
        await bench.seal(await bench.admit(range(FIRST, FIRST + int(spans * SPAN_S * FASTEST))))
        await asyncio.sleep(SETTLED_S)
        moments, readings = await in_turns(bench, spans, url, headers)
        times = sorted(arrival.at_us for arrival in await bench.arrivals())
    return spans_of(times, moments, readings)


async def in_turns(bench: Rig, spans: int, url: str, headers: dict[str, str]) -> tuple[list[int], list[Reading]]:
    """Unwatched and watched spans, an unwatched one at either end: the moments (µs) between them, and readings at these."""
    moments, readings = [], []
    for n in range(spans):
        moments.append(time.monotonic_ns() // 1000)
        readings.append(bench.meter.read())
        watcher = asyncio.create_task(watching(url, headers)) if n % 2 else None
        await asyncio.sleep(SPAN_S)
        if watcher is not None:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
    return [*moments, time.monotonic_ns() // 1000], [*readings, bench.meter.read()]


def spans_of(times_us: Sequence[int], moments_us: Sequence[int], readings: Sequence[Reading]) -> list[Span]:
    places = [bisect_left(times_us, moment) for moment in moments_us]
    found = []
    for n in range(len(moments_us) - 1):
        messages, seconds = places[n + 1] - places[n], (moments_us[n + 1] - moments_us[n]) / 1e6
        if not messages:
            raise RuntimeError("nothing was sent in one of the spans")
        found.append(Span(messages / seconds, readings[n + 1].since(readings[n])))
    return found


class Looks(NamedTuple):
    """Milliseconds until the page has its data, and of `/metrics`; and what serve and Redis used of a core, span by span (0–1)."""

    pages: list[float]
    scrapes: list[float]
    serve: list[float]
    redis: list[float]


async def looks(campaigns: int, senders: int, times: int, spans: int) -> Looks:
    async with Rig([1.0], 1e6) as bench, AsyncExitStack() as stack:
        await _fill(bench, campaigns, senders)
        url, headers = bench.start_serve(), await bench.key("read")
        await bench.answers(url)
        await bench.until(bench.recorded, "not all was recorded", 60)
        session = await stack.enter_async_context(ClientSession(headers=headers))
        found = Looks([], [], [], [])
        for n in range(times + 1):
            for path, times_ms in (("/v1/facts/stream", found.pages), ("/metrics", found.scrapes)):
                await asyncio.sleep(_ASK_ANEW_S)
                took = await asked(session, url + path)
                if n:  # the first looks learn what never changes
                    times_ms.append(took)
        _, readings = await in_turns(bench, spans, url, headers)
        for before, after in pairwise(readings):
            used = after.since(before)
            found.serve.append(used.cpu_s["serve"] / used.at_s)
            found.redis.append(used.cpu_s["redis"] / used.at_s)
        return found


async def asked(session: ClientSession, url: str) -> float:
    """Milliseconds until the first snapshot is there, or the whole answer."""
    began = time.perf_counter()
    async with session.get(url) as answer:
        if url.endswith("/stream"):
            await answer.content.readuntil(b"event: facts\n")
            await answer.content.readuntil(b"\n\n")
        else:
            await answer.read()
        return (time.perf_counter() - began) * 1e3


async def _fill(bench: Rig, campaigns: int, senders: int) -> None:
    profiles = [f"40017b3d-0000-4000-8000-0000000001{n:02d}" for n in range(10)]
    for n, profile in enumerate(profiles):
        numbers = (f"+1205{n:02d}{i:05d}" for i in range(senders // 10))
        await bench.outbox.sync_senders(profile, [Sender(each, "long_code", profile, "US", 1000) for each in numbers])
    people = strangers(campaigns * 10)
    for n in range(campaigns):
        [chunk] = chunks(people[10 * n : 10 * n + 10])
        fields = {"columns": ("name", "order", "city", "amount"), "accepted": 10, "parts": 10, "chunks": 1}
        campaign = Campaign(new_campaign_id(), profiles[n % 10], "hello", **fields)  # type: ignore[arg-type]
        await bench.outbox.begin(campaign.id)
        await bench.outbox.admit(campaign.id, 0, encode(chunk), 10)
        await bench.outbox.seal(campaign, key_ttl_s=60)


def slower(spans: Sequence[Span]) -> list[float]:
    """Per cent by which each watched span was slower than the two around it."""
    return [(1 - share) * 100 for share in beside([span.rate for span in spans])]


def dearer(shares: Sequence[float]) -> float:
    """Per cent of a core by which a watched span took more than the two around it; the median."""
    return median(shares[n] - (shares[n - 1] + shares[n + 1]) / 2 for n in range(1, len(shares) - 1, 2)) * 100


async def measure(rounds: int, campaigns: int, senders: int, times: int) -> None:
    fast = await sending(2 * rounds + 1)
    found = await looks(campaigns, senders, times, 2 * rounds + 1)
    busy = median(span.used.busy for span in fast)
    notes = [
        f"slower by, %: {', '.join(f'{each:.1f}' for each in slower(fast))}",
        f"second core {busy:.0%} busy",
        f"looks, and what they take of a core: {campaigns:,} campaigns, {senders:,} senders of 10 profiles, nothing sent",
    ]
    if busy > BUSY:
        notes.append("VOID, as far as speed goes: the second core was over 90 % busy")
    tell("watch", [*sent(fast), *seen(found)], notes=notes)


def sent(spans: Sequence[Span]) -> list[Figure]:
    return [
        Figure("sending, nobody watches", median(span.rate for span in spans[::2]), "msg/s"),
        Figure("sending, page open and a scrape each 5 s", median(span.rate for span in spans[1::2]), "msg/s"),
        Figure("watching slows sending by", median(slower(spans)), "%", most=3),
    ]


def seen(found: Looks) -> list[Figure]:
    both = [serve + redis for serve, redis in zip(found.serve, found.redis, strict=True)]
    return [
        Figure("watching takes of serve's core", dearer(found.serve), "%"),
        Figure("watching takes of Redis' core", dearer(found.redis), "%"),
        Figure("watching takes of a core, together", dearer(both), "%", most=3),
        Figure("the page's data, median", median(found.pages), "ms", most=100),
        Figure("the page's data, worst", percentile(found.pages, 1.0), "ms"),
        Figure("/metrics, median", median(found.scrapes), "ms", most=100),
        Figure("/metrics, worst", percentile(found.scrapes, 1.0), "ms"),
    ]


def main() -> None:
    options = sizes("watch", rounds=8)
    if options.quick:
        asyncio.run(measure(2, 200, 2_000, 3))
    else:
        asyncio.run(measure(options.rounds, 1_000, 10_000, 10))


if __name__ == "__main__":
    main()
