"""From a command to a server that listens, and back."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nano2_app.chat.scenarios import load_scenarios
from nano2_app.config import PROJECT_DIR, SCENARIOS_DIR, load_settings
from nano2_app.engine.base import ModelCard, ModelKind
from nano2_app.engine.scripted import ScriptedEngine
from nano2_app.errors import ConfigurationError
from nano2_app.ui.app import build_app, header
from nano2_app.ui.launch import launched, serve


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def app_process(**environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, Path(PROJECT_DIR, "app.py")],
        env=os.environ | {"NANO2_ENGINE": "scripted"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_taken_port_is_one_clear_error_and_frees_the_engine(taken_port: int) -> None:
    engine = ScriptedEngine()
    settings = load_settings(port=taken_port, host="127.0.0.1")

    with pytest.raises(ConfigurationError, match=rf"port {taken_port} .*--port") as raised:
        serve(engine, load_scenarios(SCENARIOS_DIR), settings)

    assert "\n" not in str(raised.value)
    assert engine._closed


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address")
def test_an_ipv6_address_can_be_listened_on() -> None:
    settings = load_settings(port=0, host="::1")
    demo = build_app(ScriptedEngine(), load_scenarios(SCENARIOS_DIR), settings)

    with launched(demo, settings) as url:
        assert url.startswith("http://[::1]:")
        assert httpx.get(url).status_code == 200


def test_an_address_of_another_machine_is_a_clear_error() -> None:
    settings = load_settings(port=0, host="192.0.2.1")

    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        serve(ScriptedEngine(), load_scenarios(SCENARIOS_DIR), settings)


def test_the_app_tells_its_address_serves_and_ends_on_sigterm() -> None:
    with app_process(NANO2_PORT="0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        ready = re.fullmatch(r"Nano 2 Studio is ready at (http://127\.0\.0\.1:\d+) .*\n", line)
        assert ready, line
        page = httpx.get(ready[1])
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=60)

    assert page.status_code == 200
    assert "Nano 2 Studio" in page.text
    assert (out, errors, process.returncode) == ("", "", 0)


def test_the_app_says_in_one_line_why_it_cannot_start(taken_port: int) -> None:
    with app_process(NANO2_PORT=str(taken_port)) as process:
        out, errors = process.communicate(timeout=60)

    assert (out, process.returncode) == ("", 1)
    assert re.fullmatch(rf"Error: .*port {taken_port} .*\n", errors)


@pytest.mark.parametrize("kind", ModelKind)
def test_the_header_marks_what_answers_and_escapes_its_name(kind: ModelKind) -> None:
    card = ModelCard("<tiny>", kind, "Small & quick.", 4096, 1024, 3_600_000, device="cpu")

    text = header(card)

    assert "&lt;tiny&gt;" in text
    assert "Small &amp; quick. · 3.6 million parameters · 4,096 tokens of context · on cpu" in text
    assert f"n2-{kind}" in text
    assert ("stand-in" in text) == (kind is ModelKind.EMBEDDED)
