from collections.abc import Iterator

import pytest
from gradio_client import Client

from tests.servers.running_app import SCRIPT, RunningApp, running_app


@pytest.fixture(scope="package")
def shared_app() -> Iterator[RunningApp]:
    with running_app() as app:
        yield app


@pytest.fixture
def app(shared_app: RunningApp) -> Iterator[RunningApp]:
    """The app with a short script; nothing of a test is left running after it."""
    shared_app.play(SCRIPT)
    yield shared_app
    shared_app.wait_until_idle()


@pytest.fixture
def client(app: RunningApp) -> Client:
    return Client(app.url, verbose=False)
