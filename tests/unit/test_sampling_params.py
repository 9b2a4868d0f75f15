"""Sampling parameters: checked once, with messages that name the value and the range."""

from typing import Any

import pytest

from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.errors import InvalidRequest


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"thinking_budget": -1}, "thinking budget must be a whole number from 0 to .*, not -1"),
        ({"thinking_budget": 10**12}, "not 1000000000000"),
        ({"thinking_budget": "abc"}, "not 'abc'"),
        ({"thinking_budget": 1.5}, "not 1.5"),
        ({"thinking_budget": True}, "not True"),
        ({"thinking_budget": "x" * 100}, r"not 'x{36}\.\.\."),
        ({"thinking_grace": -1}, "grace"),
        ({"temperature": -0.1}, "temperature must be a number from 0 to 2"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": "hot"}, "'hot'"),
        ({"temperature": False}, "False"),
        ({"top_p": 0}, "above 0"),
        ({"top_p": 1.01}, "top-p"),
        ({"top_k": -5}, "top-k"),
        ({"seed": -1}, "seed"),
        ({"max_tokens": 0}, "maximum of tokens"),
        ({"answer_reserve": 0}, "reserve"),
        ({"skip_reasoning": "yes"}, "true or false"),
    ],
)
def test_an_unusable_value_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        SamplingParams(**values)


def test_whole_numbers_of_sliders_become_ints() -> None:
    params = SamplingParams(thinking_budget=256.0, seed=7.0)  # type: ignore[arg-type]
    assert (params.thinking_budget, params.seed) == (256, 7)
    assert isinstance(params.thinking_budget, int)


def test_a_budget_of_nothing_is_skipping() -> None:
    assert not SamplingParams(thinking_budget=0).thinking
    assert not SamplingParams(skip_reasoning=True, thinking_budget=100).thinking
    assert SamplingParams(thinking_budget=1).thinking
    assert SamplingParams().thinking


@pytest.mark.parametrize(
    ("reserve", "room", "expected"),
    [(None, 400, 100), (None, 100_000, 1024), (None, 1, 1), (50, 400, 50), (500, 400, 400)],
)
def test_the_answer_has_a_reserve(reserve: int | None, room: int, expected: int) -> None:
    assert SamplingParams(answer_reserve=reserve).reserve(room) == expected
