"""Measure an export on held-out problems and wordings: `python -m training.evaluate`."""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, NemotronHForCausalLM

from nano2_app.chat.messages import Message, assistant, system, user
from nano2_app.chat.template import render_prompt
from training.conversation import TASKS, scenario_prompts
from training.decoding import Settings, complete, split_answer
from training.export import EXPORT
from training.grading import is_right
from training.sample import Sample
from training.tokenizer import encode_prompt, load_tokenizer

BATCH = 96
BUDGETS = (8, 16, 32, 64, 128)
RESULTS = Path("build/training/evaluation.json")


def held_out_samples(task: str, count: int, seed: int) -> list[Sample]:
    """Draw held-out problems in held-out wordings."""
    rng = Random(f"evaluation {task} {seed}")
    return [TASKS[task](rng, True) for _ in range(count)]


def conversation(sample: Sample, earlier: Sample | None = None) -> tuple[Message, ...]:
    """Return the messages as the app sends them: with the scenario's system prompt."""
    history = (user(earlier.question), assistant(earlier.answer)) if earlier else ()
    prompt = scenario_prompts()[sample.scenario]
    return (system(prompt), *history, user(sample.question))


def measure(
    model: NemotronHForCausalLM,
    tokenizer: Tokenizer,
    samples: Sequence[Sample],
    settings: Settings,
    *,
    thinking: bool = True,
    earlier: Sequence[Sample] | None = None,
    failures: list[tuple[Sample, str]] | None = None,
) -> float:
    """Return the share of samples that are answered right."""
    prompts = []
    for index, sample in enumerate(samples):
        messages = conversation(sample, earlier[index] if earlier else None)
        prompts.append(encode_prompt(tokenizer, render_prompt(messages, thinking=thinking)))
    # Prompts of about the same length share a batch.
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    right = 0
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        completions = complete(
            model, tokenizer, [prompts[index] for index in chosen], settings, thinking=thinking
        )
        for index, ids in zip(chosen, completions, strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=False)
            if is_right(samples[index], split_answer(text, thinking=thinking)):
                right += 1
            elif failures is not None:
                failures.append((samples[index], text))
    return right / len(samples)


def evaluate(
    folder: Path, tasks: Sequence[str], count: int, seed: int, *, quick: bool, show: int
) -> Mapping[str, Mapping[str, float]]:
    """Measure every task in every way and print a row for each."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    results: dict[str, dict[str, float]] = {}
    for task in tasks:
        samples = held_out_samples(task, count, seed)
        failures: list[tuple[Sample, str]] = []
        row = {"greedy": measure(model, tokenizer, samples, Settings(), failures=failures)}
        if not quick:
            earlier = held_out_samples(task, count, seed + 1)
            drawn = Settings(temperature=0.6, seed=seed)
            row["sampled"] = measure(model, tokenizer, samples, drawn)
            row["second turn"] = measure(model, tokenizer, samples, drawn, earlier=earlier)
            row["no thinking"] = measure(model, tokenizer, samples, Settings(), thinking=False)
            for budget in BUDGETS:
                few = samples[: max(1, count // 2)]
                row[f"budget {budget}"] = measure(model, tokenizer, few, Settings(budget=budget))
        results[task] = row
        print(task.ljust(15), "  ".join(f"{k} {v:.0%}" for k, v in row.items()), flush=True)
        for sample, text in failures[:show]:
            print(f"    {sample.question!r} -> {text!r}\n    wanted {sample.answer!r}")
    return results


def main() -> None:
    """Measure from the command line; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description="Measure nano2-tiny on held-out questions.")
    parser.add_argument("--folder", type=Path, default=EXPORT)
    parser.add_argument("--count", type=int, default=100, help="samples per task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--quick", action="store_true", help="greedy decoding only")
    parser.add_argument("--show", type=int, default=0, help="wrong answers to print per task")
    arguments = parser.parse_args()
    began = time.monotonic()
    results = evaluate(
        arguments.folder, arguments.tasks, arguments.count, arguments.seed,
        quick=arguments.quick, show=arguments.show,
    )  # fmt: skip
    report = {
        "seconds": round(time.monotonic() - began),
        "samples_per_task": arguments.count,
        "seed": arguments.seed,
        "settings": asdict(Settings()),
        "right": results,
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
