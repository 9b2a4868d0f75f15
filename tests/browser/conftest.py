from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.servers.running_app import SCRIPT, RunningApp, running_app


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def shared_app() -> Iterator[RunningApp]:
    with running_app() as app:
        yield app


@pytest.fixture
def app(shared_app: RunningApp) -> Iterator[RunningApp]:
    """The app with a short script; a test may `play` another. It ends with a free engine."""
    shared_app.play(SCRIPT)
    yield shared_app
    shared_app.wait_until_idle()


@pytest.fixture
def context(browser: Browser, app: RunningApp) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def chat(page: Page, app: RunningApp) -> ChatPage:
    return ChatPage.open(page, app.url)
