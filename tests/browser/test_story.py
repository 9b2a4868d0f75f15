"""What a person does with the page, in a real browser, on a scripted engine."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from nano2_app.engine.scripted import Script
from nano2_app.errors import GenerationFailed
from tests.browser.chat_page import ChatPage
from tests.servers.running_app import ENDLESS, SCRIPT, RunningApp, wait_for

pytestmark = pytest.mark.browser

QUESTION = "What is 347 + 586?"
CODE = '```python\ndef double(x):\n    if x:\n        return 2 * x\n    return "<b>"\n```'


def test_the_page_says_which_model_answers(chat: ChatPage) -> None:
    header = chat.page.locator(".n2-header")

    expect(header).to_contain_text("Nano 2 Studio")
    expect(header).to_contain_text("scripted")
    expect(header).to_contain_text("8,192 tokens of context")
    expect(header.locator(".n2-badge")).to_have_text("Script, no model")


def test_reasoning_streams_open_and_closes_when_the_answer_begins(
    app: RunningApp, chat: ChatPage
) -> None:
    app.play(SCRIPT, token_delay_s=0.06)

    chat.ask(QUESTION)

    expect(chat.thoughts).to_contain_text(re.compile(r"Thinking · \d+ of 1,024 tokens"))
    expect(chat.conversation).to_contain_text("one two three")
    expect(chat.conversation).not_to_contain_text("The answer")
    expect(chat.box).to_have_value("")
    expect(chat.conversation).to_contain_text("The answer is 933.")
    expect(chat.thoughts).to_contain_text(
        re.compile(r"Thought for \d+\.\d s · \d+ tokens · the model was done")
    )
    expect(chat.conversation).not_to_contain_text("one two three")
    chat.expect_idle()
    expect(chat.status).to_contain_text(
        re.compile(r"\d+ tokens of reasoning \(the model was done\) · \d+ of answer .* seed \d+")
    )
    chat.thoughts.get_by_role("button").first.click()
    expect(chat.conversation).to_contain_text("one two three")


def test_a_lower_budget_ends_the_reasoning(app: RunningApp, chat: ChatPage) -> None:
    app.play(Script(ENDLESS.reasoning, "Forty-two."))
    chat.set_budget(16)

    chat.ask(QUESTION)

    expect(chat.thoughts).to_contain_text("budget reached")
    expect(chat.conversation).to_contain_text("Forty-two.")
    chat.expect_idle()


def test_the_budget_can_be_lowered_while_it_thinks(app: RunningApp, chat: ChatPage) -> None:
    app.play(Script(ENDLESS.reasoning, "Forty-two."), token_delay_s=0.02)
    chat.ask(QUESTION)
    expect(chat.thoughts).to_contain_text("of 1,024 tokens")

    chat.set_budget(8)

    expect(chat.thoughts).to_contain_text("budget reached")
    expect(chat.conversation).to_contain_text("Forty-two.")


def test_a_budget_takes_effect_when_it_is_typed_out(app: RunningApp, chat: ChatPage) -> None:
    app.play(Script(ENDLESS.reasoning, "Forty-two."), token_delay_s=0.02)
    chat.ask(QUESTION)
    expect(chat.thoughts).to_contain_text("of 1,024 tokens")

    chat.budget.fill("")
    chat.budget.press_sequentially("8000", delay=50)  # 8 would end it; 8,000 is over the maximum

    expect(chat.thoughts).to_contain_text(re.compile(r"Thinking · \d+ of 2,048 tokens"))
    chat.stop.click()
    chat.expect_idle()
    expect(chat.page.get_by_test_id("toast-body")).to_have_count(0)


def test_reasoning_can_be_skipped(chat: ChatPage) -> None:
    chat.skip.check()
    expect(chat.slider).to_be_disabled()

    chat.ask(QUESTION)

    expect(chat.conversation).to_contain_text("The answer is 933.")
    chat.expect_idle()
    expect(chat.thoughts).to_have_count(0)
    chat.skip.uncheck()
    expect(chat.slider).to_be_enabled()


def test_stop_keeps_the_text_and_leaves_no_spinner(app: RunningApp, chat: ChatPage) -> None:
    app.play(ENDLESS)
    chat.ask(QUESTION)
    expect(chat.conversation).to_contain_text("one two three")

    chat.stop.click()

    chat.expect_idle()
    expect(chat.thoughts).to_contain_text("stopped")
    expect(chat.status).to_contain_text("Stopped before the answer began.")
    app.play(SCRIPT)
    chat.ask("And now?")
    expect(chat.conversation).to_contain_text("The answer is 933.")


def test_answer_now_goes_on_in_the_same_stream(app: RunningApp, chat: ChatPage) -> None:
    app.play(Script(ENDLESS.reasoning, "Forty-two."))
    chat.ask(QUESTION)
    expect(chat.conversation).to_contain_text("one two three")

    chat.answer_now.click()

    expect(chat.conversation).to_contain_text("Forty-two.")
    expect(chat.thoughts).to_contain_text("you asked for the answer")
    chat.expect_idle()


def test_clear_ends_the_run_and_empties_the_chat(app: RunningApp, chat: ChatPage) -> None:
    app.play(ENDLESS)
    chat.ask(QUESTION)
    expect(chat.conversation).to_contain_text("one two three")

    chat.clear.click()

    chat.expect_idle()
    expect(chat.conversation.get_by_role("list")).to_be_visible()  # the examples are back
    expect(chat.thoughts).to_have_count(0)
    expect(chat.status).to_have_text("")
    app.wait_until_idle()
    app.play(SCRIPT)
    chat.ask("And now?")
    expect(chat.conversation).to_contain_text("The answer is 933.")


def test_a_tab_streams_on_while_another_is_used(app: RunningApp, chat: ChatPage) -> None:
    app.engine.script = lambda request: (
        SCRIPT if "double" in request.messages[-1].content else ENDLESS
    )
    chat.ask(QUESTION)
    expect(chat.thoughts).to_contain_text("Thinking")

    chat.show("Coding")
    expect(chat.send).to_be_enabled()
    chat.ask("Write double(x).")
    expect(chat.conversation).to_contain_text("The answer is 933.")

    chat.show("Education")
    expect(chat.stop).to_be_enabled()
    expect(chat.conversation).not_to_contain_text("933")
    chat.answer_now.click()
    expect(chat.thoughts).to_contain_text("you asked for the answer")
    expect(chat.conversation).to_contain_text("word word")
    chat.stop.click()
    chat.expect_idle()
    expect(chat.status).to_contain_text("Stopped.")


def test_two_browsers_do_not_disturb_each_other(
    app: RunningApp, chat: ChatPage, browser: Browser
) -> None:
    app.engine.script = lambda request: Script(
        "Hm.\n" * 30, f"Said: {request.messages[-1].content}"
    )
    other_context = browser.new_context()
    other = ChatPage.open(other_context.new_page(), app.url)

    chat.ask("first")
    other.ask("second")

    expect(chat.conversation).to_contain_text("Said: first")
    expect(other.conversation).to_contain_text("Said: second")
    expect(chat.conversation).not_to_contain_text("second")
    other_context.close()


def test_one_who_waits_sees_the_place(app: RunningApp, chat: ChatPage, page: Page) -> None:
    app.play(ENDLESS, max_running=1)
    chat.ask(QUESTION)
    expect(chat.thoughts).to_contain_text("Thinking")

    chat.show("Coding")
    chat.ask("Write double(x).")
    expect(chat.thoughts).to_contain_text("Waiting · next in line")
    chat.stop.click()
    chat.expect_idle()
    expect(chat.thoughts).to_have_count(0)

    chat.show("Education")
    chat.stop.click()
    chat.expect_idle()


def test_code_keeps_its_indentation(app: RunningApp, chat: ChatPage) -> None:
    app.play(Script("Hm.", CODE))

    chat.ask("Write double(x).")

    chat.expect_idle()
    code = chat.conversation.locator("pre code")
    expect(code).to_have_text(re.compile(r"def double\(x\):\n {4}if x:\n {8}return 2 \* x\n {4}re"))
    expect(code).to_contain_text('return "<b>"')


def test_typed_tags_are_text_and_do_nothing(app: RunningApp, chat: ChatPage) -> None:
    app.engine.script = lambda request: Script("Hm. <i>x</i>", request.messages[-1].content)
    typed = "<b>bold</b> <script>window.hacked = 1</script> <img src=x onerror='window.hacked=1'>"

    chat.ask(f"{typed} </think> <think> &lt;i&gt;")

    chat.expect_idle()
    expect(chat.conversation).to_contain_text("<b>bold</b> <script>window.hacked = 1</script>")
    expect(chat.conversation).to_contain_text("</think> <think> &lt;i&gt;")
    expect(chat.conversation.locator("b, script, img[src=x], .message i")).to_have_count(0)
    assert chat.page.evaluate("window.hacked") is None


def test_a_blank_message_is_refused_and_nothing_is_lost(chat: ChatPage) -> None:
    chat.ask("   ")

    expect(chat.page.get_by_text("The message is empty")).to_be_visible()
    expect(chat.box).to_have_value("   ")
    chat.expect_idle()


def test_a_failure_is_one_sentence_and_gives_the_question_back(
    app: RunningApp, chat: ChatPage
) -> None:
    def broken(_request: object) -> Script:
        raise GenerationFailed("The model failed on this request; try again.")

    app.engine.script = broken

    chat.ask(QUESTION)

    expect(chat.status).to_have_text("The model failed on this request; try again.")
    expect(chat.box).to_have_value(QUESTION)
    chat.expect_idle()
    app.play(SCRIPT)
    chat.box.press("Enter")
    expect(chat.conversation).to_contain_text("The answer is 933.")


def test_an_example_fills_the_box(chat: ChatPage) -> None:
    chat.panel.get_by_role("button", name="What is 347 + 586?").click()

    expect(chat.box).to_have_value(QUESTION)


def test_a_narrow_screen_has_no_horizontal_scrolling(chat: ChatPage) -> None:
    chat.page.set_viewport_size({"width": 390, "height": 844})
    chat.ask(QUESTION)
    chat.expect_idle()
    expect(chat.conversation).to_contain_text("The answer is 933.")

    assert chat.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_reload_frees_the_engine(app: RunningApp, chat: ChatPage) -> None:
    app.play(ENDLESS)
    chat.ask(QUESTION)
    expect(chat.thoughts).to_contain_text("Thinking")
    wait_for(lambda: app.engine.status().running == 1, "the engine is busy")

    chat.page.reload()

    app.wait_until_idle()
    chat.expect_idle()


def test_the_page_asks_nothing_of_the_network(page: Page, app: RunningApp) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))

    chat = ChatPage.open(page, app.url)
    chat.ask(QUESTION)
    chat.expect_idle()

    foreign = [a for a in addresses if not a.startswith((app.url, "data:", "blob:"))]
    assert foreign == []
