"""From logits to tokens, for several sequences at a time."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.engine.local.sampler import Sampler
from nano2_app.engine.local.sequence import Sequence


def sequence(**params: Any) -> Sequence:
    """Only what the sampler looks at."""
    chosen = SamplingParams(**({"top_p": 1.0, "seed": 5} | params))
    request = SimpleNamespace(sampling_params=chosen)
    return cast("Sequence", SimpleNamespace(request=request, random=random.Random(chosen.seed)))


def peaked(vocabulary: int) -> torch.Tensor:
    return torch.randn(vocabulary, generator=torch.Generator().manual_seed(1)) * 3


@pytest.mark.parametrize(
    ("params", "allowed"),
    [
        ({"temperature": 0.0}, {3}),
        ({"temperature": 1.0, "top_k": 2}, {2, 3}),
        ({"temperature": 1.0, "top_p": 0.5}, {3}),
        ({"temperature": 1.0, "top_p": 0.85}, {2, 3}),
        ({"temperature": 1.0, "top_k": 2, "top_p": 0.6}, {3}),
        ({"temperature": 1.0}, {0, 1, 2, 3}),
    ],
)
def test_it_keeps_to_its_candidates(params: dict[str, Any], allowed: set[int]) -> None:
    logits = torch.tensor([[0.05, 0.05, 0.3, 0.6]]).log()
    asked = [sequence(**params)]
    assert {Sampler().sample(logits, asked)[0] for _ in range(300)} == allowed


def test_tokens_come_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log().expand(2000, 4)
    asked = [sequence(temperature=1.0, seed=seed) for seed in range(2000)]
    drawn = Sampler().sample(logits, asked)
    for token, chance in enumerate((0.1, 0.2, 0.3, 0.4)):
        assert drawn.count(token) / 2000 == pytest.approx(chance, abs=0.05)


def test_a_flat_distribution_over_a_large_vocabulary_is_drawn_from_whole() -> None:
    logits = torch.zeros(400, 5000)
    asked = [sequence(temperature=1.0, top_p=0.9, seed=seed) for seed in range(400)]
    drawn = [token for token in Sampler().sample(logits, asked) if token is not None]
    assert len(drawn) == 400
    assert max(drawn) - min(drawn) > 3000


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "temperature": st.sampled_from([0.0, 0.3, 1.0, 2.0]),
                "top_p": st.sampled_from([0.05, 0.5, 0.95, 1.0]),
                "top_k": st.sampled_from([0, 1, 7, 300, 400]),
                "seed": st.integers(0, 100),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_mix_gives_each_what_it_gets_alone(mix: list[dict[str, Any]]) -> None:
    logits = torch.stack([peaked(400) + 0.1 * row for row in range(len(mix))])
    together = Sampler().sample(logits, [sequence(**params) for params in mix])
    alone = [
        Sampler().sample(logits[row : row + 1], [sequence(**params)])[0]
        for row, params in enumerate(mix)
    ]
    assert together == alone


def test_rows_without_numbers_give_no_token_and_spare_the_others() -> None:
    logits = torch.zeros(4, 10)
    logits[:, 7] = 5.0
    logits[1] = float("nan")
    logits[2] = float("-inf")
    asked = [sequence(temperature=t) for t in (0.0, 1.0, 0.0, 0.01)]
    assert Sampler().sample(logits, asked) == [7, None, None, 7]


def test_bad_sampling_values_give_no_token_and_spare_the_others() -> None:
    broken = sequence(temperature=1.0)
    object.__setattr__(broken.request.sampling_params, "temperature", float("nan"))
    logits = torch.zeros(2, 10)
    logits[:, 7] = 50.0
    assert Sampler().sample(logits, [broken, sequence(temperature=1.0)]) == [None, 7]


def test_without_a_seed_each_draws_its_own() -> None:
    logits = torch.zeros(1, 1000)
    drawn = [
        [Sampler().sample(logits, [s])[0] for _ in range(20)]
        for s in (
            sequence(temperature=1.0, seed=None),
            sequence(temperature=1.0, seed=None),
        )
    ]
    assert drawn[0] != drawn[1]
