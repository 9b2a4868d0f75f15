"""The addresses for those who watch the app, beside the page on the same port."""

import httpx
import pytest
from gradio_client import Client
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient

from nano2_app.api.routes import routes
from nano2_app.cli import serve as serve_command
from nano2_app.config import load_settings
from nano2_app.engine.base import Engine
from nano2_app.engine.scripted import ScriptedEngine
from tests.servers.running_app import ENDLESS, RunningApp, wait_for

URLS = ["/healthz", "/readyz", "/metrics"]
UNFORGETTABLE = "xylophone"


def metrics(app: RunningApp) -> dict[str, float]:
    text = httpx.get(f"{app.url}/metrics").text
    return {
        "".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_running_app_is_alive_and_ready(app: RunningApp) -> None:
    alive, ready = httpx.get(f"{app.url}/healthz"), httpx.get(f"{app.url}/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "model": "scripted"})


def test_a_closed_engine_is_alive_but_not_ready() -> None:
    engine = ScriptedEngine()
    http = TestClient(Starlette(routes=routes(engine)))
    engine.close()

    ready = http.get("/readyz")

    assert ready.status_code == 503
    assert ready.json() == {"status": "not ready", "detail": "The engine takes no requests."}
    assert http.get("/healthz").status_code == 200
    assert http.get("/metrics").status_code == 200


def test_the_page_and_its_calls_are_where_they_were(app: RunningApp) -> None:
    page = httpx.get(f"{app.url}/")

    assert page.status_code == 200
    assert "Nano 2 Studio" in page.text
    for path in ("/config", "/gradio_api/info", "/theme.css"):
        assert httpx.get(f"{app.url}{path}").status_code == 200
    assert httpx.get(f"{app.url}/no-such-page").status_code == 404


@pytest.mark.parametrize("url", URLS)
def test_they_are_only_read(app: RunningApp, url: str) -> None:
    assert httpx.head(f"{app.url}{url}").status_code == 200
    assert httpx.post(f"{app.url}{url}").status_code == 405


def test_they_are_no_calls_of_the_app(app: RunningApp) -> None:
    published = httpx.get(f"{app.url}/gradio_api/info").text

    assert not [url for url in URLS if url in published]


def test_the_counters_grow_by_what_was_generated(app: RunningApp, client: Client) -> None:
    before = metrics(app)
    done = client.predict(f"What is a {UNFORGETTABLE}?", api_name="/chat")
    after = metrics(app)

    def grown(name: str) -> float:
        return after[name] - before[name]

    usage = done["usage"]
    assert grown("nano2_prompt_tokens_total") == usage["prompt_tokens"]
    sampled = usage["reasoning_tokens"] + usage["answer_tokens"]
    assert grown("nano2_output_tokens_total") == sampled
    assert grown("nano2_requests_finished_totalstop") == 1
    assert grown("nano2_time_to_first_token_seconds_count") == 1
    assert grown("nano2_inter_token_seconds_count") == sampled - 1
    assert after["nano2_tokens_per_second"] > 0


def test_a_run_is_seen_while_it_runs(app: RunningApp, client: Client) -> None:
    app.play(ENDLESS)
    job = client.submit("Count.", api_name="/chat")
    wait_for(lambda: metrics(app)["nano2_requests_running"] == 1, "the run is seen")
    aborted = metrics(app)["nano2_requests_finished_totalabort"]

    wait_for(lambda: bool(job.outputs()), "the client knows the run")
    client.predict(job.outputs()[0]["run_id"], api_name="/stop")
    job.result()
    app.wait_until_idle()

    assert metrics(app)["nano2_requests_running"] == 0
    assert metrics(app)["nano2_requests_finished_totalabort"] == aborted + 1


@pytest.mark.parametrize("url", URLS)
def test_no_word_of_a_question_or_an_answer_is_told(
    app: RunningApp, client: Client, url: str
) -> None:
    done = client.predict(f"What is a {UNFORGETTABLE}?", api_name="/chat")

    text = httpx.get(f"{app.url}{url}").text

    assert UNFORGETTABLE not in text
    assert done["answer"] not in text
    assert done["run_id"] not in text


def test_the_serve_command_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[BaseRoute] = []

    def serve(engine: Engine, _scenarios: object, _settings: object, more: list[BaseRoute]) -> None:
        served.extend(more)

    monkeypatch.setattr(serve_command, "serve", serve)
    serve_command.serve_app(load_settings(engine="scripted", port=0, host="127.0.0.1"))

    assert [route.path for route in served if isinstance(route, Route)] == URLS
