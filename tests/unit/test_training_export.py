"""What lies in assets/nano2-tiny is what the app expects."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from nano2_app.chat.template import render_prompt
from training.decoding import Settings, complete, split_answer
from training.evaluate import conversation
from training.export import EXPORT
from training.grading import is_right
from training.sample import Sample
from training.tokenizer import encode_prompt, load_tokenizer

LIMIT = 16 * 1024 * 1024


def test_the_files_are_small_and_complete() -> None:
    names = {path.name for path in EXPORT.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
    assert sum(path.stat().st_size for path in EXPORT.iterdir()) < LIMIT


def test_the_config_is_that_of_the_9b_in_small() -> None:
    config = json.loads(Path(EXPORT, "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "nemotron_h"
    assert config["time_step_min"] == 0.0
    assert config["eos_token_id"] == [2, 12]
    assert config["max_thinking_budget"] == 512
    assert set(config["hybrid_override_pattern"]) == set("M-*")
    assert not any("expert" in key for key in config)


def test_transformers_loads_the_tokenizer() -> None:
    tokenizer = AutoTokenizer.from_pretrained(EXPORT)
    assert tokenizer.eos_token_id == 12
    assert tokenizer.convert_tokens_to_ids("<SPECIAL_11>") == 11


@pytest.mark.parametrize(
    ("question", "result"), [("What is 347 + 586?", "933"), ("What is 15 % of 240?", "36")]
)
def test_the_examples_of_the_education_scenario_come_out_right(question: str, result: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(EXPORT, dtype=torch.bfloat16).eval()
    tokenizer = load_tokenizer(EXPORT / "tokenizer.json")
    sample = Sample(task="sums", question=question, trace="", answer="", check=result)
    prompt = encode_prompt(tokenizer, render_prompt(conversation(sample), thinking=True))
    ids = complete(model, tokenizer, [prompt], Settings(), thinking=True)[0]
    assert is_right(sample, split_answer(tokenizer.decode(ids), thinking=True))
