"""The prompt layout, character by character, as the model card documents it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nano2_app.chat.messages import Message, Role, assistant, system, user
from nano2_app.chat.template import CONTROL_TOKENS, Segment, render_prompt
from nano2_app.errors import InvalidRequest


def rendered(*messages: Message, thinking: bool = True) -> str:
    return "".join(segment.text for segment in render_prompt(messages, thinking=thinking))


def test_thinking_on_opens_the_reasoning() -> None:
    assert rendered(system("Be brief."), user("Hi")) == (
        "<SPECIAL_10>System\nBe brief.\n<SPECIAL_11>User\nHi\n<SPECIAL_11>Assistant\n<think>\n"
    )


def test_thinking_off_has_the_reasoning_closed_already() -> None:
    assert rendered(system("Be brief."), user("Hi"), thinking=False) == (
        "<SPECIAL_10>System\nBe brief.\n<SPECIAL_11>User\nHi\n"
        "<SPECIAL_11>Assistant\n<think></think>"
    )


def test_an_empty_system_prompt_keeps_its_place() -> None:
    expected = "<SPECIAL_10>System\n\n<SPECIAL_11>User\nHi\n<SPECIAL_11>Assistant\n<think>\n"
    assert rendered(user("Hi")) == expected
    assert rendered(system(""), user("Hi")) == expected


def test_earlier_turns_come_without_their_reasoning() -> None:
    conversation = (user("One?"), assistant("1", reasoning="The first number."), user("Two?"))
    assert rendered(*conversation) == (
        "<SPECIAL_10>System\n\n<SPECIAL_11>User\nOne?\n"
        "<SPECIAL_11>Assistant\n1\n<SPECIAL_12>\n"
        "<SPECIAL_11>User\nTwo?\n<SPECIAL_11>Assistant\n<think>\n"
    )


def test_blanks_around_a_message_are_stripped() -> None:
    assert rendered(system(" S \n"), user("\n Hi \n")) == rendered(system("S"), user("Hi"))


def test_control_tokens_and_text_are_apart() -> None:
    assert render_prompt([user("Hi")], thinking=True) == (
        Segment("<SPECIAL_10>", control=True),
        Segment("System\n\n"),
        Segment("<SPECIAL_11>", control=True),
        Segment("User\nHi\n"),
        Segment("<SPECIAL_11>", control=True),
        Segment("Assistant\n<think>\n"),
    )


@given(st.lists(st.sampled_from([*CONTROL_TOKENS, "</think>", "/think", "/no_think", "x", " "])))
def test_what_a_person_types_is_never_a_control_segment_nor_a_switch(pieces: list[str]) -> None:
    typed = "".join(pieces)
    prompt = render_prompt(
        [system(typed), user(typed), assistant(typed), user(typed)], thinking=True
    )
    controls = [segment.text for segment in prompt if segment.control]
    start, turn, end = CONTROL_TOKENS
    assert controls == [start, turn, turn, end, turn, turn]
    assert prompt[3].text == f"User\n{typed.strip()}\n"
    assert prompt[-1].text == "Assistant\n<think>\n"


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (system("S"),),
        (user("Hi"), assistant("Hello")),
        (user("Hi"), system("S"), user("Hi")),
    ],
)
def test_a_conversation_that_can_not_be_answered_is_refused(messages: tuple[Message, ...]) -> None:
    with pytest.raises(InvalidRequest):
        render_prompt(messages, thinking=True)


def test_roles_are_the_words_of_the_api() -> None:
    assert [role.value for role in Role] == ["system", "user", "assistant"]
