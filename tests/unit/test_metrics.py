"""What `/metrics` says of a made-up engine, read as Prometheus reads it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from starlette.applications import Starlette
from starlette.testclient import TestClient

from nano2_app.api.routes import routes
from nano2_app.chat.events import FinishReason
from nano2_app.engine.base import CacheUse, EngineStatus, ModelCard, ModelKind
from nano2_app.engine.scripted import ScriptedEngine
from nano2_app.engine.stats import BETWEEN_TOKENS_BOUNDS, FIRST_TOKEN_BOUNDS, EngineStats

OPEN_METRICS = "application/openmetrics-text"
PROMETHEUS_ASKS = f"{OPEN_METRICS};version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"


def made_up_stats() -> EngineStats:
    stats = EngineStats(clock=lambda: 1000.0)
    stats.prompt_tokens = 1234
    for tokens in (0, 64, 32):
        stats.count_prefix(tokens)
    for seconds in (0.004, 0.2, 0.2, 400.0):
        stats.count_first_token(seconds)
    for seconds in (0.01, 0.02, 0.03):
        stats.count_next_token(seconds)
    for reason in (FinishReason.STOP, FinishReason.STOP, FinishReason.LENGTH, None):
        stats.count_finished(reason)
    return stats


def made_up_status() -> EngineStatus:
    return EngineStatus(
        model=ModelCard(
            "tiny", ModelKind.EMBEDDED, "Small.", 4096, 1024, device="cpu", dtype="float32"
        ),
        ready=True,
        running=3,
        waiting=5,
        slots=8,
        stats=made_up_stats(),
        cache=CacheUse(used_tokens=700, total_tokens=9000, prefixes=4),
    )


@dataclass
class MadeUpEngine(ScriptedEngine):
    """Tells the status that it is given."""

    told: EngineStatus = field(default_factory=made_up_status)

    def status(self) -> EngineStatus:
        return self.told


@pytest.fixture
def engine() -> MadeUpEngine:
    return MadeUpEngine()


@pytest.fixture
def http(engine: MadeUpEngine) -> TestClient:
    return TestClient(Starlette(routes=routes(engine)))


def values(families: Iterable[Metric], kind: str) -> dict[str, float]:
    """All samples of metrics of a kind, written as `name` or `name{label}`."""
    return {
        "".join([sample.name, *(f"{{{label}}}" for label in sample.labels.values())]): sample.value
        for family in families
        if family.type == kind
        for sample in family.samples
    }


def told(http: TestClient, kind: str) -> dict[str, float]:
    return values(prometheus(http.get("/metrics").text), kind)


def test_gauges_are_the_status_of_the_moment(http: TestClient) -> None:
    assert told(http, "gauge").items() >= {
        ("nano2_requests_running", 3),
        ("nano2_requests_waiting", 5),
        ("nano2_slots", 8),
        ("nano2_cache_used_tokens", 700),
        ("nano2_cache_tokens", 9000),
        ("nano2_prefixes", 4),
        ("nano2_tokens_per_second", 7),
    }


def test_counters_are_the_figures_since_the_start(http: TestClient) -> None:
    assert told(http, "counter") == {
        "nano2_prompt_tokens_total": 1234,
        "nano2_output_tokens_total": 7,
        "nano2_requests_finished_total{stop}": 2,
        "nano2_requests_finished_total{length}": 1,
        "nano2_requests_finished_total{abort}": 0,
        "nano2_requests_finished_total{error}": 1,
        "nano2_prefix_queries_total": 3,
        "nano2_prefix_hits_total": 2,
        "nano2_prefix_tokens_total": 96,
    }


def test_every_look_is_a_new_one(engine: MadeUpEngine, http: TestClient) -> None:
    told(http, "counter")
    engine.told.stats.count_finished(FinishReason.ABORT)
    engine.told = replace(engine.told, running=0)

    assert told(http, "counter")["nano2_requests_finished_total{abort}"] == 1
    assert told(http, "gauge")["nano2_requests_running"] == 0


def test_an_engine_at_its_start_has_every_counter_at_zero(
    engine: MadeUpEngine, http: TestClient
) -> None:
    engine.told = replace(engine.told, stats=EngineStats())

    counters = told(http, "counter")

    assert len(counters) == 9
    assert set(counters.values()) == {0}


def test_an_engine_without_a_cache_of_its_own_tells_nothing_of_one(
    engine: MadeUpEngine, http: TestClient
) -> None:
    engine.told = replace(engine.told, cache=None)

    gauges = told(http, "gauge")

    assert "nano2_slots" in gauges
    assert not {"nano2_cache_used_tokens", "nano2_cache_tokens", "nano2_prefixes"} & set(gauges)


@pytest.mark.parametrize(
    ("name", "bounds", "counts", "total"),
    [
        (
            "nano2_time_to_first_token_seconds",
            FIRST_TOKEN_BOUNDS,
            [1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4],
            400.404,
        ),
        (
            "nano2_inter_token_seconds",
            BETWEEN_TOKENS_BOUNDS,
            [0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3],
            0.06,
        ),
    ],
)
def test_histograms_are_cumulative(
    http: TestClient, name: str, bounds: tuple[float, ...], counts: list[int], total: float
) -> None:
    text = http.get("/metrics").text
    family = next(family for family in prometheus(text) if family.name == name)
    buckets = [sample for sample in family.samples if sample.name == f"{name}_bucket"]
    rest = {sample.name: sample.value for sample in family.samples if sample not in buckets}

    assert family.type == "histogram"
    assert [float(bucket.labels["le"]) for bucket in buckets] == [*bounds, float("inf")]
    assert buckets[-1].labels["le"] == "+Inf"
    assert [bucket.value for bucket in buckets] == counts
    assert rest == {f"{name}_count": counts[-1], f"{name}_sum": pytest.approx(total)}


@pytest.mark.parametrize(
    ("name", "device", "dtype"),
    [("tiny", "cpu", "float32"), ('an "odd" \\ name\nin two lines', None, None)],
)
def test_the_model_is_told_whatever_its_name(
    engine: MadeUpEngine, http: TestClient, name: str, device: str | None, dtype: str | None
) -> None:
    card = replace(engine.told.model, name=name, device=device, dtype=dtype)
    engine.told = replace(engine.told, model=card)

    families = prometheus(http.get("/metrics").text)
    info = next(family for family in families if family.name == "nano2_model_info")

    assert [(sample.labels, sample.value) for sample in info.samples] == [
        ({"name": name, "kind": "embedded", "device": device or "", "dtype": dtype or ""}, 1)
    ]


@pytest.mark.parametrize("accept", ["*/*", "", "text/html", "text/plain;version=0.0.4"])
def test_the_text_of_prometheus_is_the_default(http: TestClient, accept: str) -> None:
    response = http.get("/metrics", headers={"accept": accept})

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    "accept", [OPEN_METRICS, PROMETHEUS_ASKS, f"{OPEN_METRICS};version=nonsense"]
)
def test_openmetrics_is_given_to_those_who_ask(http: TestClient, accept: str) -> None:
    response = http.get("/metrics", headers={"accept": accept})

    assert response.headers["content-type"] == f"{OPEN_METRICS}; version=1.0.0; charset=utf-8"
    families = list(openmetrics(response.text))  # type: ignore[no-untyped-call]
    for kind in ("counter", "histogram"):
        assert values(families, kind) == told(http, kind)


def test_two_engines_are_told_apart(http: TestClient) -> None:
    idle = MadeUpEngine(told=replace(made_up_status(), running=0))

    assert told(TestClient(Starlette(routes=routes(idle))), "gauge")["nano2_requests_running"] == 0
    assert told(http, "gauge")["nano2_requests_running"] == 3
