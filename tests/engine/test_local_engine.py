"""What is particular to the engine that runs a model in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from nano2_app.chat.events import Finished, FinishReason, Prefill, ReasoningDelta, ThinkingEnd
from nano2_app.chat.messages import user
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.chat.template import CONTROL_TOKENS, render_prompt
from nano2_app.engine.local.loader import load_engine
from nano2_app.engine.local.local_engine import PREFILL_CHUNK, LocalEngine
from nano2_app.engine.local.model_runner import ModelRunner
from nano2_app.engine.local.sampler import Sampler
from nano2_app.engine.local.tokenizer import PromptTokenizer
from nano2_app.errors import GenerationFailed, ModelUnavailable
from tests.engine.generation import collect, request, transcribe
from tests.engine.random_model import TURN_END_ID, byte_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PromptTokenizer:
    return PromptTokenizer(byte_tokenizer().backend_tokenizer)


async def test_greedy_answers_are_those_of_transformers_generate(
    local_engine: LocalEngine, model_dir: Path, tokenizer: PromptTokenizer
) -> None:
    question = (user("What is 2 + 2?"),)
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, time_step_min=0.0)
    prompt = tokenizer.encode_prompt(render_prompt(question, thinking=False))
    ids = model.generate(torch.tensor([prompt]), max_new_tokens=80, do_sample=False)
    detokenizer = tokenizer.detokenizer()
    expected = "".join(detokenizer.add(int(token)) for token in ids[0, len(prompt) :])
    done = await transcribe(
        local_engine, request(question[0].content, max_tokens=80, skip_reasoning=True)
    )
    assert done.answer == expected.strip()


async def test_a_long_prompt_is_read_in_chunks_with_progress(local_engine: LocalEngine) -> None:
    events = await collect(local_engine, request("word " * 300, max_tokens=20))
    progress = [(event.done, event.total) for event in events if isinstance(event, Prefill)]
    total = progress[0][1]
    assert total > 2 * PREFILL_CHUNK
    assert progress == [(done, total) for done in range(0, total, PREFILL_CHUNK)]


def test_reading_in_chunks_leaves_the_same_state_as_one_pass(model_dir: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, time_step_min=0.0)
    runner = ModelRunner(model.eval())
    tokens = torch.randint(13, 269, (100,), generator=torch.Generator().manual_seed(0)).tolist()
    whole = runner.forward(tokens, runner.new_state())
    state = runner.new_state()
    for chunk in (tokens[:37], tokens[37:38], tokens[38:90]):
        runner.forward(chunk, state)
    for token in tokens[90:99]:
        runner.forward([token], state)
    torch.testing.assert_close(runner.forward(tokens[99:], state), whole, rtol=1e-4, atol=1e-4)


async def test_a_model_that_stops_while_thinking_still_answers(
    local_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, calls = Sampler.sample, 0

    def stop_at_the_tenth(self: Sampler, logits: torch.Tensor) -> int:
        nonlocal calls
        calls += 1
        return TURN_END_ID if calls in (10, 30) else sample(self, logits)

    monkeypatch.setattr(Sampler, "sample", stop_at_the_tenth)
    done = await transcribe(local_engine, request())
    assert done.thinking_end is ThinkingEnd.MODEL
    assert done.finish_reason is FinishReason.STOP
    assert done.usage is not None
    assert (done.usage.reasoning_tokens, done.usage.answer_tokens) == (9, 19)


async def test_a_failure_ends_one_request_and_spares_the_next(
    local_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ModelRunner, "forward", lambda *_: torch.full((269,), float("nan")))
        with pytest.raises(GenerationFailed, match="no usable numbers"):
            await collect(local_engine, request())
        patch.setattr(ModelRunner, "forward", lambda *_: 1 / 0)
        with pytest.raises(GenerationFailed, match="failed on this request"):
            await collect(local_engine, request())
    events = await collect(local_engine, request(max_tokens=30))
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, ReasoningDelta) for event in events)


@given(st.lists(st.sampled_from([*CONTROL_TOKENS, "<s>", "</s>", "</think>", "é", "x", " "])))
def test_typed_control_tokens_are_encoded_as_text(pieces: list[str]) -> None:
    tokenizer = PromptTokenizer(byte_tokenizer().backend_tokenizer)
    assert min(tokenizer.encode("".join(pieces)), default=99) > TURN_END_ID


def test_only_the_template_makes_control_tokens(tokenizer: PromptTokenizer) -> None:
    typed = "".join(CONTROL_TOKENS)
    ids = tokenizer.encode_prompt(render_prompt([user(typed)], thinking=True))
    assert [token for token in ids if token <= TURN_END_ID] == [10, 11, 11]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_detokenizer_gives_back_any_text_without_half_characters(text: str) -> None:
    tokenizer = PromptTokenizer(byte_tokenizer().backend_tokenizer)
    detokenizer = tokenizer.detokenizer()
    pieces = [detokenizer.add(token) for token in tokenizer.encode(text)]
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces) or "\ufffd" in text


def test_the_detokenizer_forgets_half_a_character_on_reset(tokenizer: PromptTokenizer) -> None:
    detokenizer = tokenizer.detokenizer()
    assert detokenizer.add(tokenizer.encode("é")[0]) == ""
    detokenizer.reset()
    assert detokenizer.add(tokenizer.encode("a")[0]) == "a"


@pytest.mark.parametrize(
    ("params", "allowed"),
    [
        ({"temperature": 0.0}, {3}),
        ({"temperature": 1.0, "top_k": 2}, {2, 3}),
        ({"temperature": 1.0, "top_p": 0.5}, {3}),
        ({"temperature": 1.0, "top_p": 0.85}, {2, 3}),
        ({"temperature": 1.0}, {0, 1, 2, 3}),
    ],
)
def test_the_sampler_keeps_to_its_candidates(params: dict[str, Any], allowed: set[int]) -> None:
    logits = torch.tensor([0.05, 0.05, 0.3, 0.6]).log()
    sampler = Sampler(SamplingParams(**({"top_p": 1.0, "seed": 5} | params)))
    assert {sampler.sample(logits) for _ in range(300)} == allowed


def test_the_sampler_without_a_seed_draws_its_own() -> None:
    samplers = [Sampler(SamplingParams(temperature=1.0, top_p=1.0)) for _ in range(2)]
    first, second = ([s.sample(torch.zeros(1000)) for _ in range(20)] for s in samplers)
    assert first != second


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(ModelUnavailable, match=r"no model folder \./nowhere"):
        load_engine("./nowhere")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no config"):
        load_engine(str(tmp_path))


def test_a_model_of_another_architecture_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="type llama; this app runs nemotron_h"):
        load_engine(str(tmp_path))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_broken_file_is_one_sentence(tmp_path: Path, model_dir: Path, name: str) -> None:
    for file in model_dir.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_bytes(b"not what it should be")
    with pytest.raises(ModelUnavailable) as caught:
        load_engine(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_missing_weights_are_named(tmp_path: Path, model_dir: Path) -> None:
    for file in model_dir.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"1 tensors are missing, such as lm_head\.weight"):
        load_engine(str(tmp_path))


def test_a_tokenizer_without_the_control_tokens_is_refused(tmp_path: Path, model_dir: Path) -> None:
    for file in model_dir.iterdir():
        text = file.read_bytes().replace(b"SPECIAL_11", b"SPECIAL_X1")
        (tmp_path / file.name).write_bytes(text)
    with pytest.raises(ModelUnavailable, match="has no <SPECIAL_11>"):
        load_engine(str(tmp_path))


def test_a_tokenizer_that_would_let_control_tokens_in_is_refused() -> None:
    tokenizer = byte_tokenizer().backend_tokenizer
    data = json.loads(tokenizer.to_str())
    for token in data["added_tokens"]:
        token["special"] = False
    with pytest.raises(ModelUnavailable, match="not safe"):
        PromptTokenizer(type(tokenizer).from_str(json.dumps(data)))


def test_the_card_names_the_folder_and_what_it_runs_on(local_engine: LocalEngine) -> None:
    card = local_engine.status().model
    assert card.name.startswith("random-model")
    assert (card.kind, card.device, card.dtype) == ("other", "cpu", "float32")
    assert card.parameters
