"""`GET /metrics` of `volley serve`, for Prometheus: the snapshot that everybody else sees too, and what this process counts itself."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from producer.audit.watch import Watch
from producer.sight import gauges
from producer.sight.facts import Facts
from producer.sight.gauges import counter, counters, gauge
from producer.sight.sight import Sight
from producer.web.recording import Recording
from producer.web.tally import Tally
from volley import __version__
from volley.errors import TryAgainLater


@dataclass(frozen=True, slots=True)
class Sources:
    """What this process can tell of."""

    watch: Watch
    recording: Recording
    tally: Tally
    sight: Sight


class Metrics(Collector):
    """All of it, read when it is asked for. What only Redis knows is left out while Redis is away."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._facts: Facts | None = None
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        self._expose = make_aiohttp_handler(registry)

    async def answer(self, request: web.Request) -> web.Response:
        try:
            self._facts = await self._sources.sight.facts()
        except TryAgainLater:
            self._facts = None
        response = await self._expose(request)
        assert isinstance(response, web.Response)
        return response

    def collect(self) -> Iterator[Metric]:
        watch, tally, facts = self._sources.watch, self._sources.tally, self._facts
        yield gauges.gauges("build_info", "The release that answers here.", ("version",), [((__version__,), 1.0)])
        yield gauge("redis_up", "1 where Redis answers.", facts is not None)
        yield gauge("conservation_breaches", "What the audit has found broken and is still so.", len(watch.broken))
        yield gauge("conservation_campaigns", "Campaigns whose sums the audit's last round looked at.", watch.checked)
        yield counter("conservation_rounds", "Rounds of the audit.", watch.rounds)
        unknown = watch.unknown if facts is None else facts.total.unknown
        yield gauge("unknown_messages", "Messages of which nobody knows whether the carrier has them.", unknown)
        for name, value in asdict(self._sources.recording.counts).items():
            yield counter(f"recorder_{name}", f"The recorder's {name.replace('_', ' ')}.", value)
        yield counters("webhooks", "What webhooks came to.", ("what",), _sorted(tally.counts))
        yield counters("webhooks_unused", "Webhook events that nothing uses.", ("type",), _sorted(tally.types))
        if facts is not None:
            yield from gauges.metrics(facts, self._sources.sight.totals)


def _sorted(counts: dict[str, int]) -> gauges.Samples:
    return (((name,), count) for name, count in sorted(counts.items()))
