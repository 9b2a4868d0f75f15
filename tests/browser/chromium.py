"""A headless Chromium that talks to nothing but the page under test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = (
    "The browser tests need Chromium: install it with `apt-get install chromium`, or name one "
    "with CHROMIUM=/path/to/chromium."
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser.

    Raises:
        RuntimeError: there is none; the message says what to install.
    """
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        raise RuntimeError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
