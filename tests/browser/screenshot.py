"""Take the picture of the README: `python -m tests.browser.screenshot OUT.png [--url URL]`.

Asks the running app one question in the Education tab and shows the reasoning with the answer.
"""

import argparse
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium

QUESTION = "What is 347 + 586?"
ANSWER_WITHIN_MS = 300_000


def take(out: Path, url: str, question: str) -> None:
    """Ask, wait for the answer, open the thought and save the picture."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        chat = ChatPage.open(page, url)
        chat.ask(question)
        expect(chat.status).to_contain_text("seed", timeout=ANSWER_WITHIN_MS)
        chat.expect_idle()
        chat.thoughts.get_by_role("button").first.click()
        page.wait_for_timeout(500)  # the thought opens with an animation
        chat.conversation.evaluate("log => log.scrollTo(0, log.scrollHeight)")
        page.mouse.move(0, 0)
        page.screenshot(path=out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Take a picture of a running app.")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--url", default="http://127.0.0.1:7860")
    parser.add_argument("--question", default=QUESTION)
    arguments = parser.parse_args()
    take(arguments.out, arguments.url, arguments.question)


if __name__ == "__main__":
    main()
