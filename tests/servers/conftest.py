import pytest
from gradio_client import Client

from tests.servers.running_app import RunningApp


@pytest.fixture
def client(app: RunningApp) -> Client:
    return Client(app.url, verbose=False)
