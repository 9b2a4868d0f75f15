"""Write the trained model in the form that the app loads: `python -m training.export`."""

import argparse
import json
from pathlib import Path

import torch
from transformers import GenerationConfig

from training.model import PATTERN, new_model, tiny_config
from training.tokenizer import load_tokenizer, save_for_transformers

EXPORT = Path(__file__).parents[1] / "assets" / "nano2-tiny"
WORK = Path("build/training")
MAX_THINKING_BUDGET = 512
"""The longest trace of any task is shorter; the app's slider ends here."""


def export(checkpoint: Path, tokenizer_file: Path, folder: Path) -> None:
    """Write config, weights in bfloat16, tokenizer and generation settings."""
    tokenizer = load_tokenizer(tokenizer_file)
    config = tiny_config(tokenizer.get_vocab_size())
    model = new_model(config, seed=0)
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    model = model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        bos_token_id=1,
        eos_token_id=[2, 12],
        pad_token_id=0,
        do_sample=True,
        temperature=0.6,
        top_p=0.95,
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    save_for_transformers(tokenizer, folder)
    _tidy_config(folder / "config.json")


def _tidy_config(path: Path) -> None:
    """Write the layer pattern as the 9B does, the largest budget, and no defaults of other models.

    `transformers` adds the settings of a mixture of experts, by which other programs take the
    model for one, and writes an infinite limit in a form of its own.
    """
    config = json.loads(path.read_text(encoding="utf-8"))
    kept = {
        key: value
        for key, value in config.items()
        if "expert" not in key
        and not key.startswith(("moe_", "mtp_", "n_group", "topk_", "time_step_limit"))
    }
    kept["n_groups"] = config["n_groups"]
    kept["hybrid_override_pattern"] = PATTERN
    kept["max_thinking_budget"] = MAX_THINKING_BUDGET
    kept["num_hidden_layers"] = len(PATTERN)
    path.write_text(json.dumps(dict(sorted(kept.items())), indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description="Export nano2-tiny.")
    parser.add_argument("--checkpoint", type=Path, default=WORK / "checkpoint.pt")
    parser.add_argument("--tokenizer", type=Path, default=WORK / "tokenizer.json")
    parser.add_argument("--folder", type=Path, default=EXPORT)
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.tokenizer, arguments.folder)
    print(f"wrote {arguments.folder.name}")


if __name__ == "__main__":
    main()
