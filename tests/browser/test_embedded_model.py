"""The story of a new user: the command, the page, a question, on the model that ships."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from nano2_app.config import PROJECT_DIR
from tests.browser.chat_page import ChatPage

pytestmark = pytest.mark.browser

QUESTION = "What is 347 + 586?"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "nano2_app", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = re.search(r"http://\S+", process.stdout.readline())
        assert ready, "the app did not start"
        yield ready[0]
        process.terminate()


def test_a_question_is_reasoned_bounded_and_answered_directly(browser: Browser, url: str) -> None:
    page = browser.new_page()
    chat = ChatPage.open(page, url)
    expect(page.get_by_text("Embedded stand-in")).to_be_visible()

    chat.ask(QUESTION)
    expect(chat.conversation).to_contain_text("933")
    expect(chat.thoughts).to_have_count(1)
    expect(chat.thoughts).to_contain_text("the model was done")
    chat.expect_idle()

    chat.set_budget(8)
    chat.ask(QUESTION)
    expect(chat.thoughts).to_have_count(2)
    expect(chat.thoughts.last).to_contain_text("budget reached")
    chat.expect_idle()

    chat.skip.check()
    chat.ask(QUESTION)
    expect(chat.status).to_contain_text("skipped")
    chat.expect_idle()
    expect(chat.thoughts).to_have_count(2)
    page.close()
