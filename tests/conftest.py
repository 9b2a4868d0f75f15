"""The running app, for the tests that reach it from outside."""

from collections.abc import Iterator

import pytest

from tests.servers.running_app import SCRIPT, RunningApp, running_app


@pytest.fixture(scope="session")
def shared_app() -> Iterator[RunningApp]:
    with running_app() as app:
        yield app


@pytest.fixture
def app(shared_app: RunningApp) -> Iterator[RunningApp]:
    """The app with a short script; a test may `play` another. It ends with a free engine."""
    shared_app.play(SCRIPT)
    yield shared_app
    shared_app.wait_until_idle()
