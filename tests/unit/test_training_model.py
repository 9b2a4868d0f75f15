import pytest
import torch
from transformers import NemotronHForCausalLM

from training.decoding import Settings, complete
from training.model import new_model, tiny_config
from training.scan import fast_scan
from training.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def model() -> NemotronHForCausalLM:
    return new_model(tiny_config(1536), seed=3).eval()


def random_ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(13, 1536, (rows, length), generator=torch.Generator().manual_seed(5))


@torch.inference_mode()
def test_the_fast_scan_computes_what_transformers_computes(model: NemotronHForCausalLM) -> None:
    ids = random_ids(2, 150)
    expected = model(ids, use_cache=False).logits
    with fast_scan():
        assert torch.allclose(model(ids, use_cache=False).logits, expected, atol=2e-5)


@torch.inference_mode()
def test_decoding_token_by_token_equals_one_pass(model: NemotronHForCausalLM) -> None:
    ids = random_ids(2, 90)
    expected = model(ids, use_cache=False).logits
    output = model(ids[:, :20], use_cache=True)
    logits = [output.logits]
    for position in range(20, 90):
        output = model(
            ids[:, position : position + 1],
            past_key_values=output.past_key_values,
            use_cache=True,
        )
        logits.append(output.logits)
    assert torch.allclose(torch.cat(logits, dim=1), expected, atol=2e-5)


def test_a_batch_answers_as_single_prompts_do(model: NemotronHForCausalLM) -> None:
    tokenizer = build_tokenizer(seed=0, samples=300)
    prompts = [random_ids(1, length)[0].tolist() for length in (9, 23, 14)]
    settings = Settings(max_tokens=12)
    together = complete(model, tokenizer, prompts, settings, thinking=True)
    alone = [complete(model, tokenizer, [p], settings, thinking=True)[0] for p in prompts]
    assert together == alone


@pytest.mark.parametrize("budget", [5, 40])
def test_a_budget_bounds_the_trace(model: NemotronHForCausalLM, budget: int) -> None:
    tokenizer = build_tokenizer(seed=0, samples=300)
    settings = Settings(max_tokens=90, budget=budget)
    prompt = random_ids(1, 9)[0].tolist()
    ids = complete(model, tokenizer, [prompt], settings, thinking=True)[0]
    closes = [
        position
        for position in range(len(ids))
        if tokenizer.decode(ids[position : position + 4]).strip(".\n").startswith("</think>")
    ]
    assert budget <= closes[0] <= budget + 16
