"""What is particular to the engine that runs a model in this process."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from nano2_app.chat.events import FinishReason, Prefill, ThinkingEnd
from nano2_app.chat.messages import assistant, system, user
from nano2_app.chat.template import CONTROL_TOKENS, render_prompt
from nano2_app.engine.local.chunk_pacer import MAX_CHUNK
from nano2_app.engine.local.loader import load_engine
from nano2_app.engine.local.local_engine import LocalEngine
from nano2_app.engine.local.sampler import Sampler
from nano2_app.engine.local.sequence import Sequence
from nano2_app.engine.local.tokenizer import PromptTokenizer
from nano2_app.errors import ModelUnavailable
from tests.engine.generation import collect, request, transcribe
from tests.engine.random_model import TURN_END_ID, byte_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PromptTokenizer:
    return PromptTokenizer(byte_tokenizer().backend_tokenizer)


async def test_a_long_prompt_is_read_in_chunks_with_progress(local_engine: LocalEngine) -> None:
    events = await collect(local_engine, request("word " * 300, max_tokens=20))
    progress = [(event.done, event.total) for event in events if isinstance(event, Prefill)]
    total = progress[0][1]
    assert total > 2 * MAX_CHUNK
    steps = [end - start for (start, _), (end, _) in pairwise(progress)]
    assert all(0 < step <= MAX_CHUNK for step in steps)
    assert progress[-1][0] >= total - MAX_CHUNK


async def test_a_model_that_stops_while_thinking_still_answers(
    local_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, calls = Sampler.sample, 0

    def stop_at_the_tenth(
        self: Sampler, logits: torch.Tensor, sequences: list[Sequence]
    ) -> list[int | None]:
        nonlocal calls
        calls += 1
        return [TURN_END_ID] if calls in (10, 30) else sample(self, logits, sequences)

    monkeypatch.setattr(Sampler, "sample", stop_at_the_tenth)
    done = await transcribe(local_engine, request())
    assert done.thinking_end is ThinkingEnd.MODEL
    assert done.finish_reason is FinishReason.STOP
    assert done.usage is not None
    assert (done.usage.reasoning_tokens, done.usage.answer_tokens) == (9, 19)


@given(st.lists(st.sampled_from([*CONTROL_TOKENS, "<s>", "</s>", "</think>", "é", "x", " "])))
def test_typed_control_tokens_are_encoded_as_text(pieces: list[str]) -> None:
    tokenizer = PromptTokenizer(byte_tokenizer().backend_tokenizer)
    assert min(tokenizer.encode("".join(pieces)), default=99) > TURN_END_ID


def test_only_the_template_makes_control_tokens(tokenizer: PromptTokenizer) -> None:
    typed = "".join(CONTROL_TOKENS)
    prompt = tokenizer.encode_prompt(render_prompt([user(typed)], thinking=True))
    assert [token for token in prompt.tokens if token <= TURN_END_ID] == [10, 11, 11]


def test_a_prompt_is_marked_where_others_part_from_it(tokenizer: PromptTokenizer) -> None:
    first = [system("You are a tutor."), user("What is 2 + 2?")]
    prompt = tokenizer.encode_prompt(render_prompt(first, thinking=True))
    follow_up = [*first, assistant("It is 4."), user("And 3 + 3?")]
    for messages, thinking, mark in [
        ([first[0], user("Something else")], True, prompt.marks[0]),
        (follow_up, True, prompt.marks[1]),
        (follow_up, False, prompt.marks[1]),
    ]:
        other = tokenizer.encode_prompt(render_prompt(messages, thinking=thinking))
        assert other.tokens[:mark] == prompt.tokens[:mark]


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
    assert (card.kind, card.device, card.dtype) == ("other", "cpu", "float16")
    assert card.parameters
