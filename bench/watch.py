"""What watching costs: sending with and without a page that is open and a scrape every 5 s, in turns; and how long a look takes.

    python -m bench.watch [--rounds 3] [--quick]

The page is what asks for a snapshot every second, as JSON. Watcher, Redis and carrier share the second core, as in `send`; what is
compared is messages a second and what Redis uses a message. How long looks take is measured with 1,000 campaigns and 10,000
senders, nothing else going on.
"""

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from statistics import median

from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.registry import Collector

from bench.figures import percentile
from bench.people import FIRST, chunks, strangers
from bench.rig import Rig
from bench.send import Run, result, rig
from bench.table import Figure, sizes, tell
from producer.sight import gauges
from producer.sight.sight import Sight
from volley.campaign import Campaign, new_campaign_id
from volley.outbox.chunks import encode
from volley.outbox.outbox import Outbox
from volley.sender import Sender

PAGE_S, SCRAPE_S = 1.0, 5.0
_LONGEST_S = 180.0


class Endpoint(Collector):
    """`/metrics` and the page's data, as `volley serve` answers them."""

    def __init__(self, outbox: Outbox) -> None:
        self.sight = Sight(outbox, "bench")
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._expose = make_aiohttp_handler(self._registry)

    def collect(self):  # type: ignore[no-untyped-def]
        return gauges.metrics(self.sight.last, self.sight.totals) if self.sight.last else []

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        await self.sight.facts()
        return await self._expose(request)

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(body=(await self.sight.facts()).as_json())

    async def wait_until_old(self) -> None:
        """Until the next who asks has it gathered anew."""
        held = self.sight.last
        await asyncio.sleep(1.05)
        while self.sight.is_fresh() and held is self.sight.last:  # noqa: ASYNC110 - time is what it waits for
            await asyncio.sleep(0.1)

    async def serve(self, stack: AsyncExitStack) -> str:
        app = web.Application()
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/page", self.page)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"


async def asked(session: ClientSession, url: str) -> float:
    """Milliseconds until the whole answer is there."""
    began = time.perf_counter()
    async with session.get(url) as answer:
        await answer.read()
    return (time.perf_counter() - began) * 1e3


async def watching(url: str) -> None:
    """Somebody who has the page open, and a Prometheus; until cancelled."""
    async with ClientSession() as session:
        scraped = 0.0
        while True:
            await asked(session, f"{url}/page")
            if time.monotonic() - scraped >= SCRAPE_S:
                scraped = time.monotonic()
                await asked(session, f"{url}/metrics")
            await asyncio.sleep(PAGE_S)


async def sending(count: int, *, watched: bool) -> Run:
    async with rig() as bench, AsyncExitStack() as stack:
        await bench.start_workers()
        campaign = await bench.admit(range(FIRST, FIRST + count))
        watcher = asyncio.create_task(watching(await Endpoint(bench.outbox).serve(stack))) if watched else None
        before = bench.meter.read()
        await bench.seal(campaign)
        await bench.until(lambda: bench.finished(campaign), "not all was sent", _LONGEST_S, every_s=0.05)
        used = bench.meter.read().since(before)
        if watcher is not None:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
        return await result(bench, used, count)


async def looks(campaigns: int, senders: int, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of the page's data and of `/metrics`, each gathered anew."""
    async with Rig([1.0], 1e6) as bench, AsyncExitStack() as stack:
        await _fill(bench, campaigns, senders)
        endpoint = Endpoint(bench.outbox)
        url = await endpoint.serve(stack)
        pages, scrapes = [], []
        async with ClientSession() as session:
            await asked(session, f"{url}/page")  # the first look learns what never changes
            for _ in range(times):
                for path, found in (("page", pages), ("metrics", scrapes)):
                    await endpoint.wait_until_old()
                    found.append(await asked(session, f"{url}/{path}"))
        return pages, scrapes


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


async def measure(rounds: int, count: int, campaigns: int, senders: int) -> None:
    plain, watched = [], []
    for n in range(rounds):
        for on in (False, True) if n % 2 == 0 else (True, False):
            (watched if on else plain).append(await sending(count, watched=on))
    pages, scrapes = await looks(campaigns, senders, 10 if rounds > 1 else 3)
    rate, rate_on = median(run.rate for run in plain), median(run.rate for run in watched)
    tell(
        "watch",
        [
            Figure("sending, nobody watches", rate, "msg/s"),
            Figure("sending, page open and a scrape each 5 s", rate_on, "msg/s"),
            Figure("what watching costs sending", max(0.0, 1 - rate_on / rate) * 100, "%", most=3),
            Figure("Redis, a message, nobody watches", median(run.us("redis") for run in plain), "µs"),
            Figure("Redis, a message, watched", median(run.us("redis") for run in watched), "µs"),
            Figure("worker, a message, nobody watches", median(run.us("worker 0") for run in plain), "µs"),
            Figure("worker, a message, watched", median(run.us("worker 0") for run in watched), "µs"),
            Figure("campaigns and senders of the looks", campaigns),
            Figure("the page's data, median", median(pages), "ms", most=100),
            Figure("the page's data, worst", percentile(pages, 1.0), "ms"),
            Figure("/metrics, median", median(scrapes), "ms", most=100),
            Figure("/metrics, worst", percentile(scrapes, 1.0), "ms"),
        ],
        notes=[f"looks: {campaigns:,} campaigns, {senders:,} senders of 10 profiles"],
    )


def main() -> None:
    options = sizes("watch", rounds=3)
    if options.quick:
        asyncio.run(measure(1, 10_000, 200, 2_000))
    else:
        asyncio.run(measure(options.rounds, 60_000, 1_000, 10_000))


if __name__ == "__main__":
    main()
