"""Check the GGUF export: llama.cpp goes on as transformers does, token by token.

    python -m benchmarks.peers.check_gguf [--model DIR] [--tokens 60]

Both decode greedily from the same token ids. transformers computes once in float32 and once in
bfloat16; llama.cpp keeps matrices in bfloat16 and most of what is between in float32. Rounding
may therefore part them where two tokens are almost equally likely.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import httpx
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks.peers.gguf_export import export_gguf
from benchmarks.peers.servers import llamacpp_server
from nano2_app.chat.messages import user
from nano2_app.chat.template import render_prompt
from nano2_app.config import EMBEDDED_MODEL_DIR
from nano2_app.engine.local.tokenizer import PromptTokenizer

QUESTIONS = (
    "What is 347 + 586?",
    "What is 92 - 17?",
    "Sort these words: pear, apple, fig.",
    "How many letters are in the word orange?",
)


def llamacpp_tokens(url: str, prompt: list[int], tokens: int) -> list[int]:
    """Continue a prompt with llama.cpp."""
    request = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "return_tokens": True}
    answer = httpx.post(f"{url}/completion", json={**request, "cache_prompt": False}, timeout=120)
    return [int(token) for token in answer.raise_for_status().json()["tokens"]]


def transformers_tokens(
    model_dir: Path, dtype: torch.dtype, prompts: list[list[int]], tokens: int
) -> list[list[int]]:
    """Continue every prompt with transformers."""
    config = AutoConfig.from_pretrained(model_dir)
    config.time_step_min = 0.0  # else the time step is clamped in prefill, and only there
    model = AutoModelForCausalLM.from_pretrained(model_dir, config=config, dtype=dtype)
    continuations = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        output = model.generate(ids, max_new_tokens=tokens, do_sample=False)
        continuations.append(output[0, len(prompt) :].tolist())
    return continuations


def main() -> None:
    """Compare; the exit status is 1 if llama.cpp agrees with neither type on some prompt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=EMBEDDED_MODEL_DIR)
    parser.add_argument("--tokens", type=int, default=60)
    arguments = parser.parse_args()
    tokenizer = PromptTokenizer(Tokenizer.from_file(str(arguments.model / "tokenizer.json")))
    rendered = [render_prompt([user(question)], thinking=True) for question in QUESTIONS]
    prompts = [tokenizer.encode_prompt(prompt).tokens for prompt in rendered]
    with tempfile.TemporaryDirectory() as folder:
        gguf = export_gguf(arguments.model, Path(folder) / "model.gguf")
        with llamacpp_server(gguf, threads=2, slots=1, context=1024) as url:
            theirs = [llamacpp_tokens(url, prompt, arguments.tokens) for prompt in prompts]
    full, half = (
        transformers_tokens(arguments.model, dtype, prompts, arguments.tokens)
        for dtype in (torch.float32, torch.bfloat16)
    )
    for question, *tokens in zip(QUESTIONS, theirs, full, half, strict=True):
        words = ["equal" if tokens[0] == other else "NOT EQUAL" for other in tokens[1:]]
        print(f"{question:45} {len(tokens[0]):3} tokens  float32 {words[0]}, bfloat16 {words[1]}")
    agree = [ours in others for ours, *others in zip(theirs, full, half, strict=True)]
    sys.exit(0 if all(agree) else 1)


if __name__ == "__main__":
    main()
