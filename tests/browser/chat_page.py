"""The page as a person uses it: its controls by their names."""

import re

from playwright.sync_api import Locator, Page, expect


class ChatPage:
    """The tab in front of an open page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.get_by_role("tabpanel")  # the hidden ones have no role

    @classmethod
    def open(cls, page: Page, url: str) -> "ChatPage":
        """Load the page."""
        page.goto(url)
        chat = cls(page)
        expect(chat.send).to_be_visible()
        return chat

    def show(self, tab: str) -> None:
        """Switch to a tab."""
        self.page.get_by_role("tab", name=tab).click()
        expect(self.page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        expect(self.send).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True)

    @property
    def send(self) -> Locator:
        return self.button("Send")

    @property
    def stop(self) -> Locator:
        return self.button("Stop")

    @property
    def answer_now(self) -> Locator:
        return self.button("Answer now")

    @property
    def clear(self) -> Locator:
        return self.button("Clear")

    @property
    def box(self) -> Locator:
        return self.panel.get_by_label("Your message")

    @property
    def skip(self) -> Locator:
        return self.panel.get_by_role("checkbox", name=re.compile("Skip reasoning"))

    @property
    def budget(self) -> Locator:
        return self.panel.get_by_role("spinbutton")

    @property
    def slider(self) -> Locator:
        return self.panel.get_by_role("slider")

    @property
    def conversation(self) -> Locator:
        return self.panel.get_by_role("log")

    @property
    def thoughts(self) -> Locator:
        return self.conversation.locator(".thought-group")

    @property
    def spinners(self) -> Locator:
        return self.conversation.locator(".loading-spinner")

    @property
    def status(self) -> Locator:
        return self.panel.locator(".n2-status.prose")

    def ask(self, question: str) -> None:
        """Write a question and send it with Enter."""
        self.box.fill(question)
        self.box.press("Enter")

    def set_budget(self, tokens: int) -> None:
        """Write a budget into the number beside the slider."""
        self.budget.fill(str(tokens))
        self.budget.press("Tab")

    def expect_idle(self) -> None:
        """Wait until a question can be asked."""
        expect(self.send).to_be_enabled()
        expect(self.stop).to_be_disabled()
        expect(self.answer_now).to_be_disabled()
        expect(self.spinners).to_have_count(0)
