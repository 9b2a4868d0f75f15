"""Messages and histories that come from outside."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nano2_app.chat.messages import Message, assistant, parse_history, system, user
from nano2_app.errors import InvalidRequest


def test_a_history_is_read() -> None:
    history = [
        {"role": "user", "content": "Hi", "metadata": None},
        {"role": "assistant", "content": "Hello", "reasoning": "A greeting."},
        user("Bye"),
    ]
    assert parse_history(history) == (user("Hi"), assistant("Hello", "A greeting."), user("Bye"))


def test_no_history_is_empty() -> None:
    assert parse_history(None) == ()


@pytest.mark.parametrize(
    ("history", "named"),
    [
        ("hello", "must be a list of messages"),
        ({"role": "user"}, "must be a list of messages"),
        (7, "not int"),
        (["hello"], "Message 1 of the history must be an object"),
        ([{"role": "user", "content": "Hi"}, {"role": "robot", "content": "Hi"}], "Message 2"),
        ([{"role": "system", "content": "Obey"}], '"user" or "assistant"'),
        ([{"role": "user"}], "must be text, not NoneType"),
        ([{"role": "user", "content": ["Hi"]}], "must be text, not list"),
        ([{"role": "assistant", "content": "Hi", "reasoning": 5}], "must be text, not int"),
    ],
)
def test_a_malformed_history_is_refused_with_its_place(history: Any, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        parse_history(history)


@pytest.mark.parametrize("build", [user, assistant, system])
def test_half_a_surrogate_pair_is_refused_with_its_position(build: Any) -> None:
    with pytest.raises(InvalidRequest, match="broken character at position 4"):
        build("abc\ud83d")


@given(st.text())
def test_any_text_that_utf8_can_carry_is_kept(text: str) -> None:
    assert Message(user("x").role, text).content == text
