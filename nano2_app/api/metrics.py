"""The engine's figures for Prometheus."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from nano2_app.chat.events import FinishReason
from nano2_app.engine.base import Engine, EngineStatus, ModelCard
from nano2_app.engine.stats import EngineStats, Histogram

_OPEN_METRICS = "application/openmetrics-text"
_REASONS = (*(reason.value for reason in FinishReason), "error")


class Metrics:
    """What `/metrics` answers: numbers and the model's name, never a word of anyone's."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()  # not the library's own, which all of a process share
        self._registry.register(EngineCollector(engine))

    async def expose(self, request: Request) -> Response:
        """Write all figures as they are now, as OpenMetrics if asked, else as Prometheus text."""
        # Only the type is looked at: the library trips over a version that is no number.
        wanted = _OPEN_METRICS if _OPEN_METRICS in request.headers.get("accept", "") else ""
        encode, content_type = choose_encoder(wanted)
        return Response(encode(self._registry), headers={"content-type": content_type})


class EngineCollector(Collector):
    """Reads an engine's status whenever the figures are asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Make the metrics of one look at the engine; what it has no say over is left out."""
        status = self._engine.status()
        yield _info(status.model)
        yield from _gauges(status)
        yield from _counters(status.stats)
        yield _histogram(
            "nano2_time_to_first_token_seconds",
            "From a request to the first token of its answer or reasoning.",
            status.stats.first_token,
        )
        yield _histogram(
            "nano2_inter_token_seconds",
            "From one token of a generation to its next.",
            status.stats.between_tokens,
        )


def _info(card: ModelCard) -> Metric:
    return InfoMetricFamily(
        "nano2_model",
        "What answers.",
        {
            "name": card.name,
            "kind": card.kind.value,
            "device": card.device or "",
            "dtype": card.dtype or "",
        },
    )


def _gauges(status: EngineStatus) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "nano2_requests_running", "Requests that are being answered.", status.running
    )
    yield GaugeMetricFamily(
        "nano2_requests_waiting", "Requests that wait for a free slot.", status.waiting
    )
    yield GaugeMetricFamily("nano2_slots", "Requests that can run at a time.", status.slots)
    yield GaugeMetricFamily(
        "nano2_tokens_per_second",
        "Sampled tokens of all requests together, over the last ten seconds.",
        status.stats.tokens_per_second,
    )
    if (cache := status.cache) is not None:
        yield GaugeMetricFamily(
            "nano2_cache_used_tokens",
            "Tokens whose room in the cache is taken, by running requests and kept prefixes.",
            cache.used_tokens,
        )
        yield GaugeMetricFamily(
            "nano2_cache_tokens", "Tokens that fit into the cache.", cache.total_tokens
        )
        yield GaugeMetricFamily(
            "nano2_prefixes", "Beginnings of prompts that are kept.", cache.prefixes
        )


def _counters(stats: EngineStats) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "nano2_prompt_tokens_total",
        "Tokens of prompts, the kept ones among them.",
        stats.prompt_tokens,
    )
    yield CounterMetricFamily(
        "nano2_output_tokens_total", "Tokens that were sampled.", stats.output_tokens
    )
    yield CounterMetricFamily(
        "nano2_prefix_queries_total",
        "Prompts that were looked up among the kept beginnings.",
        stats.prefix_queries,
    )
    yield CounterMetricFamily(
        "nano2_prefix_hits_total", "Prompts of which a part had been kept.", stats.prefix_hits
    )
    yield CounterMetricFamily(
        "nano2_prefix_tokens_total",
        "Tokens of prompts that did not have to be read again.",
        stats.prefix_tokens,
    )
    finished = CounterMetricFamily(
        "nano2_requests_finished_total", "Requests by how they ended.", labels=["reason"]
    )
    for reason in _REASONS:  # all of them from the start, so that a rate can be taken of each
        finished.add_metric([reason], stats.finished[reason])
    yield finished


def _histogram(name: str, documentation: str, histogram: Histogram) -> Metric:
    # One copy of the counts, so that they add up even while the engine goes on counting.
    cumulative = accumulate(tuple(histogram.counts))
    bounds = [*map(str, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, cumulative, strict=True))
    return HistogramMetricFamily(name, documentation, buckets, histogram.total)
