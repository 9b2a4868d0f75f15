"""Write the model card from what was measured: `python -m training.card`."""

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from training.evaluate import RESULTS
from training.export import EXPORT
from training.model import PATTERN, new_model, tiny_config
from training.tokenizer import VOCABULARY
from training.train import CHECKPOINT

TEXT = Path(__file__).with_name("card.md")


def render(template: str, results: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    """Fill the card's template in."""
    return template.format_map(
        {
            **facts,
            "samples": results["samples_per_task"],
            "seed": results["seed"],
            "table": table(results["right"]),
        }
    )


def table(right: Mapping[str, Mapping[str, float]]) -> str:
    """Return a Markdown table: a row per task, a column per way of asking."""
    columns = list(next(iter(right.values())))
    lines = [f"| task | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for task, row in right.items():
        lines.append(f"| {task} | {' | '.join(f'{row[column]:.0%}' for column in columns)} |")
    return "\n".join(lines)


def training_facts(machine: str, day: str) -> dict[str, str]:
    """Return what the checkpoint says about the training."""
    progress = torch.load(CHECKPOINT, map_location="cpu", weights_only=True)["progress"]
    model = new_model(tiny_config(VOCABULARY), seed=0)
    return {
        "date": day,
        "machine": machine,
        "parameters": f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f}",
        "pattern": PATTERN,
        "vocabulary": str(VOCABULARY),
        "tokens": f"{progress['tokens'] / 1e6:.1f}",
        "learned": f"{progress['learned'] / 1e6:.1f}",
        "steps": f"{progress['step']:,}",
        "minutes": f"{progress['seconds'] / 60:.0f}",
        "rate": f"{progress['tokens'] / progress['seconds']:,.0f}",
    }


def main() -> None:
    """Write the card from the command line."""
    parser = argparse.ArgumentParser(description="Write the model card of nano2-tiny.")
    parser.add_argument("--machine", default="2 CPU cores (AMD EPYC, Zen 4), no GPU")
    parser.add_argument("--date", default=f"{datetime.now(UTC):%Y-%m-%d}")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    facts = training_facts(arguments.machine, arguments.date)
    card = render(TEXT.read_text(encoding="utf-8"), results, facts)
    (EXPORT / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
