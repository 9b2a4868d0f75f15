import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nano2_app.chat.events import (
    AnswerDelta,
    Event,
    Finished,
    FinishReason,
    Prefill,
    Queued,
    ReasoningDelta,
    ReasoningEnd,
    ThinkingEnd,
    Timings,
    Usage,
)
from nano2_app.chat.scenarios import load_scenarios
from nano2_app.chat.transcript import Transcript
from nano2_app.config import SCENARIOS_DIR
from nano2_app.errors import Busy, EngineClosed
from nano2_app.ui.presentation import (
    UNEXPECTED,
    Turn,
    activity,
    chat_messages,
    history,
    inert,
    sentence,
    status_line,
    thought_title,
    turn_messages,
)

THOUGHT = ReasoningDelta("Add the digits.\n", 214)
FINISHED = Finished(FinishReason.STOP, Usage(30, 214, 12), Timings(0.41, 3.9, 63.2))


def turn(*events: Event, failure: str = "", ask: str = "Why?") -> Turn:
    transcript = Transcript()
    for event in events:
        transcript.add(event)
    return Turn(ask, transcript, failure)


def text_of(message: dict[str, Any]) -> str:
    (part,) = message["content"]
    assert part["type"] == "text"
    return str(part["text"])


@pytest.mark.parametrize(
    ("events", "title"),
    [
        ([], "Starting"),
        ([Queued(1)], "Waiting · next in line"),
        ([Queued(3)], "Waiting · 2 ahead"),
        ([Queued(3), Prefill(512, 8000)], "Reading · 512 of 8,000 tokens"),
        ([ReasoningDelta("So", 1, 512)], "Thinking · 1 of 512 tokens"),
        ([ReasoningDelta("So", 1128, 512)], "Thinking · 1,128 of 512 tokens"),
    ],
)
def test_what_goes_on_is_the_title_of_an_open_thought(events: list[Event], title: str) -> None:
    _, thought = turn_messages(turn(*events))

    assert thought["metadata"] == {"title": title, "status": "pending"}


def test_without_a_budget_only_what_is_spent_is_told() -> None:
    assert activity(turn(ReasoningDelta("So", 7))) == "Thinking · 7 tokens"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (ThinkingEnd.MODEL, "the model was done"),
        (ThinkingEnd.BUDGET, "budget reached"),
        (ThinkingEnd.USER, "you asked for the answer"),
        (ThinkingEnd.MAX_TOKENS, "token limit"),
        (ThinkingEnd.STOPPED, "stopped"),
    ],
)
def test_the_title_tells_how_long_it_thought_and_why_it_ended(
    reason: ThinkingEnd, words: str
) -> None:
    _, thought = turn_messages(turn(THOUGHT, ReasoningEnd(reason, 214, 3.21)))

    assert thought["metadata"] == {
        "title": f"Thought for 3.2 s · 214 tokens · {words}",
        "status": "done",
    }


def test_the_reasoning_is_above_the_answer() -> None:
    end = ReasoningEnd(ThinkingEnd.MODEL, 214, 3.2)

    messages = turn_messages(turn(THOUGHT, end, AnswerDelta("It is 933.")))

    assert [message["role"] for message in messages] == ["user", "assistant", "assistant"]
    texts = [text_of(message) for message in messages]
    assert texts == ["Why?", "Add the digits.\n", "It is 933."]
    assert "metadata" not in messages[2]


@pytest.mark.parametrize("reason", [ThinkingEnd.SKIPPED, ThinkingEnd.STOPPED])
def test_no_reasoning_is_no_thought(reason: ThinkingEnd) -> None:
    asked = turn(ReasoningEnd(reason, 0, 0.0), AnswerDelta("933"))

    assert thought_title(asked) == ""
    assert [text_of(message) for message in turn_messages(asked)] == ["Why?", "933"]


def test_a_failure_closes_the_thought() -> None:
    _, thought = turn_messages(turn(THOUGHT, failure="The model failed."))

    assert thought["metadata"] == {"title": "Thought · 214 tokens · failed", "status": "done"}


def test_indentation_is_kept() -> None:
    code = "\n\n    def f():\n\treturn 1\n\n"

    (message, *_) = turn_messages(turn(ask=code))

    assert text_of(message) == code


def test_the_line_below_tells_what_an_answer_took() -> None:
    end = ReasoningEnd(ThinkingEnd.BUDGET, 214, 3.2)

    assert status_line(turn(THOUGHT, end, AnswerDelta("933"), FINISHED), seed=7) == (
        "214 tokens of reasoning (budget reached) · 12 of answer · first token after 0.41 s · "
        "63.2 tokens/s · seed 7"
    )


@pytest.mark.parametrize(
    ("reason", "answer", "words"),
    [
        (FinishReason.LENGTH, "93", "The answer was cut at the token limit. "),
        (FinishReason.ABORT, "93", "Stopped. "),
        (FinishReason.ABORT, "", "Stopped before the answer began. "),
    ],
)
def test_the_line_below_tells_of_an_early_end(
    reason: FinishReason, answer: str, words: str
) -> None:
    finished = Finished(reason, Usage(30, 0, 1), Timings(None, 0.1, 0.0))
    skipped = ReasoningEnd(ThinkingEnd.SKIPPED, 0, 0.0)

    line = status_line(turn(skipped, AnswerDelta(answer), finished), seed=7)

    assert line == f"{words}0 tokens of reasoning (skipped) · 1 of answer · seed 7"


def test_the_line_below_tells_what_goes_on_until_then() -> None:
    assert status_line(turn(Queued(2)), seed=7) == "Waiting · 1 ahead"
    answering = turn(ReasoningEnd(ThinkingEnd.SKIPPED, 0, 0.0), AnswerDelta("9"))
    assert status_line(answering, seed=7) == "Answering"
    assert status_line(turn(THOUGHT, failure="It failed."), seed=7) == "It failed."


def test_history_has_answered_questions_only_and_no_reasoning() -> None:
    answered = turn(THOUGHT, ReasoningEnd(ThinkingEnd.MODEL, 1, 1.0), AnswerDelta("<b>\n  933"))
    stopped = turn(THOUGHT, ReasoningEnd(ThinkingEnd.STOPPED, 1, 1.0), FINISHED, ask="Stopped?")
    blank = turn(ReasoningEnd(ThinkingEnd.MODEL, 1, 1.0), AnswerDelta(" \n"), ask="Blank?")
    failed = turn(failure="It failed.", ask="Failed?")

    assert history([answered, stopped, blank, failed]) == [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "<b>\n  933"},
    ]


def test_a_chat_is_its_turns() -> None:
    turns = [turn(ask="one"), turn(ask="two")]

    assert chat_messages(turns) == turn_messages(turns[0]) + turn_messages(turns[1])


def test_an_error_is_one_line() -> None:
    assert sentence(Busy("Too many\n  wait.")) == "Too many wait."
    assert sentence(EngineClosed("Closed.")) == "Closed."
    assert sentence(ValueError("secret")) == UNEXPECTED


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>x</b>", r"\<b>x\</b>"),
        ("a </think> b", r"a \</think> b"),
        ("<!-- x --> <?php", r"\<!-- x --> \<?php"),
        (r"\<b>", r"\<b>"),
        (r"\\<b>", r"\\\<b>"),
        ("&lt;b&gt; &#60; &x; a & b; a && b", r"\&lt;b\&gt; \&#60; \&x; a & b; a && b"),
        ("`&lt;`", "`&lt;`"),
        ("1 < 2 <= 3 <3", "1 < 2 <= 3 <3"),
        ("`<b>` <b>", r"`<b>` \<b>"),
        ("``a`<b>`` <b>", r"``a`<b>`` \<b>"),
        ("```html\n<b>\n```\n<b>", "```html\n<b>\n```\n\\<b>"),
        ("~~~\n<b>\n~~~\n<b>", "~~~\n<b>\n~~~\n\\<b>"),
        ("```\n<b>\n`` <b>", "```\n<b>\n`` <b>"),
        ("code:\n\n    a<b>\n\n<b>", "code:\n\n    a<b>\n\n\\<b>"),
        ("text\n    <b>", "text\n    \\<b>"),
        ("$a<b$ and $$c<d$$ <b>", r"$a<b$ and $$c<d$$ \<b>"),
        (r"\(a<b\) \[c<d\] <b>", r"\(a<b\) \[c<d\] \<b>"),
    ],
)
def test_tags_are_escaped_except_where_they_are_shown_anyway(text: str, shown: str) -> None:
    assert inert(text) == shown


MARKUP = st.text(alphabet="<>/b! \n`~$\\a(\t", max_size=60)


@given(MARKUP)
def test_escaping_adds_backslashes_and_changes_nothing_else(text: str) -> None:
    assert inert(text).replace("\\", "") == text.replace("\\", "")


@pytest.mark.parametrize("opening", ["`a ", "\\(", "\\[", "$$a", "$a\n", "```", "    a\n", "<b "])
def test_openings_without_an_end_do_not_stall_the_page(opening: str) -> None:
    began = time.process_time()

    inert(opening * 20_000)

    assert time.process_time() - began < 5


@given(st.text(alphabet=st.characters(blacklist_characters="`~$\\ \t\n")))
def test_plain_text_keeps_no_tag(text: str) -> None:
    assert not re.search(r"(?<!\\)<[A-Za-z/!?]", inert(text))


@given(MARKUP)
def test_escaping_twice_is_escaping_once(text: str) -> None:
    assert inert(inert(text)) == inert(text)


@given(question=st.text(), thought=st.text(), answer=st.text(min_size=1))
def test_any_text_makes_a_chat(question: str, thought: str, answer: str) -> None:
    end = ReasoningEnd(ThinkingEnd.MODEL, 3, 1.0)

    messages = turn_messages(turn(ReasoningDelta(thought, 3), end, AnswerDelta(answer), FINISHED))

    assert [message["role"] for message in messages] == ["user", "assistant", "assistant"]
    assert text_of(messages[2]) == inert(answer)


def test_every_scenario_has_a_placeholder_and_examples() -> None:
    for scenario in load_scenarios(SCENARIOS_DIR):
        assert scenario.placeholder
        assert scenario.examples
