"""The splitter: reasoning and answer out of text in any pieces."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nano2_app.chat.reasoning import GUARD_CHARS, ReasoningSplitter, Split

# Pieces that make tags, near-tags and plain text when strung together.
FRAGMENTS = ["<think>", "</think>", "<", "</", "th", "think", "ink>", ">", "é", "b<c", "<b>"]
PIECES = [*FRAGMENTS, " ", "\n"]
TAG = re.compile("</?think>")
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def split(*pieces: str, thinking: bool = True) -> Split:
    splitter = ReasoningSplitter(thinking=thinking)
    parts = [splitter.feed(piece) for piece in pieces] + [splitter.flush()]
    return Split("".join(part.reasoning for part in parts), "".join(part.answer for part in parts))


@st.composite
def cuts(draw: st.DrawFn, texts: st.SearchStrategy[str] = texts) -> tuple[str, list[str]]:
    text = draw(texts)
    places = sorted(draw(st.sets(st.integers(0, len(text)))))
    return text, [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(cuts(), st.booleans())
def test_any_chunking_gives_the_same_result(case: tuple[str, list[str]], thinking: bool) -> None:
    text, pieces = case
    assert split(*pieces, thinking=thinking) == split(text, thinking=thinking)


@given(cuts())
def test_any_chunking_gives_the_same_result_after_a_forced_close(
    case: tuple[str, list[str]],
) -> None:
    text, pieces = case

    def answer(*pieces: str) -> str:
        splitter = ReasoningSplitter()
        splitter.feed("so\n")
        splitter.feed(splitter.forced_close(), forced=True)
        return "".join(splitter.feed(piece).answer for piece in pieces) + splitter.flush().answer

    assert answer(*pieces) == answer(text)


@given(cuts(), st.booleans())
def test_no_tag_is_ever_shown(case: tuple[str, list[str]], thinking: bool) -> None:
    splitter = ReasoningSplitter(thinking=thinking)
    reasoning = answer = ""
    for piece in case[1]:
        part = splitter.feed(piece)
        reasoning += part.reasoning
        answer += part.answer
        assert not any(
            tag in shown for tag in ("<think>", "</think>") for shown in (reasoning, answer)
        )


@given(st.lists(st.sampled_from(["<", "</", "<b>", "</b>", "<thread>", "x", " ", "\n", "<t"])))
def test_text_with_a_less_than_that_is_no_tag_is_not_lost(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert split(*pieces, thinking=False) == Split("", text.strip())


def test_a_less_than_is_held_only_until_the_next_character_decides() -> None:
    splitter = ReasoningSplitter(thinking=False)
    assert splitter.feed("a <").answer == "a"
    assert splitter.feed("=").answer == " <="
    assert splitter.feed("</thr").answer == "</thr"


def test_the_text_starts_inside_the_reasoning() -> None:
    assert split("2 and 2.\n</think>\n\nFour.\n") == Split("2 and 2.", "Four.")


def test_an_opening_tag_written_again_is_dropped() -> None:
    assert split("<think>\n2 and 2.</think>Four.") == Split("2 and 2.", "Four.")


def test_a_second_closing_tag_is_dropped() -> None:
    assert split("Hm.</think>Four.</think> Yes.") == Split("Hm.", "Four. Yes.")


def test_a_tag_put_together_by_dropping_another_is_dropped() -> None:
    assert split("</th<think>ink>x", thinking=False) == Split("", "x")


def test_without_a_closing_tag_everything_is_reasoning() -> None:
    assert split("Hm. ", "Still") == Split("Hm. Still", "")


def test_a_tag_that_the_end_cuts_off_is_not_shown() -> None:
    assert split("Hm.</think>Four. </thin") == Split("Hm.", "Four.")
    assert split("a <", thinking=False) == Split("", "a <")


def test_reasoning_reopened_at_the_start_of_the_answer_is_dropped() -> None:
    assert split("Hm.</think>\n<think>More.</think>\nFour.") == Split("Hm.", "Four.")
    assert split("Hm.</think><think>a<think>b", "c</think>Four.") == Split("Hm.", "Four.")
    assert split("Hm.</think><think>never closed") == Split("Hm.", "")


def test_code_keeps_its_indentation_and_blank_lines() -> None:
    code = "```python\ndef f(x):\n    if x < 3:\n\n        return x\n```"
    assert split("Plan.</think>\n\n", *code) == Split("Plan.", code)


@pytest.mark.parametrize(
    ("written", "forced"),
    [
        ("", "\n</think>\n\n"),
        ("One line.\n", "\n</think>\n\n"),
        ("A list:\n   ", "\n</think>\n\n"),
        ("In mid-sen", ".\n</think>\n\n"),
        ("Almost done. </th", "ink>\n\n"),
        ("Almost done. <", "/think>\n\n"),
    ],
)
def test_a_forced_close_fits_what_was_written(written: str, forced: str) -> None:
    splitter = ReasoningSplitter()
    splitter.feed(written)
    assert splitter.forced_close() == forced
    splitter.feed(forced, forced=True)
    assert not splitter.thinking


def closed_by_force() -> ReasoningSplitter:
    splitter = ReasoningSplitter()
    splitter.feed("Let me see\n")
    splitter.feed(splitter.forced_close(), forced=True)
    return splitter


def test_a_model_that_goes_on_thinking_after_a_forced_close_is_not_shown() -> None:
    splitter = closed_by_force()
    assert splitter.feed("and also\nthis.\n</think>\n\nFour.") == Split("", "Four.")


def test_a_well_behaved_answer_after_a_forced_close_is_shown_whole() -> None:
    splitter = closed_by_force()
    first = splitter.feed("Four." + "x" * GUARD_CHARS).answer
    assert first == "Four." + "x" * GUARD_CHARS
    assert splitter.feed(" Yes.</think>").answer == " Yes."


def test_a_short_answer_after_a_forced_close_comes_at_the_end() -> None:
    splitter = closed_by_force()
    assert splitter.feed("Four.").answer + splitter.flush().answer == "Four."


def test_forced_text_that_does_not_close_leaves_the_reasoning_open() -> None:
    splitter = ReasoningSplitter()
    splitter.feed("Hm", forced=True)
    assert splitter.thinking
