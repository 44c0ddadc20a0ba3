"""`GET /metrics` of `volley serve`, for Prometheus. No label names a campaign, a sender or a person: their number has no bound."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from producer.audit.watch import Watch
from producer.sight.sight import Sight
from producer.web.tally import Tally
from volley.ledger.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Sources:
    """What this process can tell of."""

    watch: Watch
    recorder: Recorder
    tally: Tally
    sight: Sight


class Metrics(Collector):
    """All of it, read when it is asked for."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._lag_s: float | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    async def answer(self, _request: web.Request) -> web.Response:
        try:
            self._lag_s = await self._sources.recorder.lag_seconds()
        except RedisError:
            self._lag_s = None  # a value that nobody knows is left out
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def collect(self) -> Iterator[Metric]:
        watch, tally = self._sources.watch, self._sources.tally
        yield _gauge("conservation_breaches", "What the audit has found broken and is still so.", len(watch.broken))
        yield _gauge("conservation_campaigns", "Campaigns whose sums the audit's last round looked at.", watch.checked)
        yield _counter("conservation_rounds", "Rounds of the audit.", watch.rounds)
        yield _gauge("unknown_messages", "Messages of which nobody knows whether the carrier has them.", watch.unknown)
        if self._lag_s is not None:
            yield _gauge("ledger_lag_seconds", "Age of the oldest entry that is not in the ledger yet.", self._lag_s)
        for name, value in asdict(self._sources.recorder.counts).items():
            yield _counter(f"recorder_{name}", f"The recorder's {name.replace('_', ' ')}.", value)
        yield _labelled("webhooks", "What webhooks came to.", "what", tally.counts)
        yield _labelled("webhooks_unused", "Webhook events that nothing uses.", "type", tally.types)


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"volley_{name}", says, value=value)


def _counter(name: str, says: str, value: float) -> Metric:
    return CounterMetricFamily(f"volley_{name}", says, value=value)


def _labelled(name: str, says: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"volley_{name}", says, labels=[label])
    pairs: Iterable[tuple[str, int]] = sorted(counts.items())
    for value, count in pairs:
        family.add_metric([value], count)
    return family
