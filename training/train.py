"""Train nano2-tiny: `python -m training.train --minutes 75 --resume`.

The learning rate follows the share of the training time that has passed, so the run ends on time
on a machine that others use as well. A checkpoint holds all that a later start needs to go on.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import NemotronHForCausalLM

from training.batches import IGNORED, Batch, pool_batches
from training.model import new_model, tiny_config
from training.scan import fast_scan
from training.tokenizer import build_tokenizer, load_tokenizer

WORK = Path("build/training")
TOKENIZER = WORK / "tokenizer.json"
CHECKPOINT = WORK / "checkpoint.pt"

PEAK_RATE = 2.5e-3
WARM_UP = 0.01
DECAY_FROM = 0.35
BATCH_TOKENS = 3072
REPORT_SECONDS = 15.0
SAVE_SECONDS = 120.0


@dataclass(slots=True)
class Progress:
    """How far a run has come. `pool` and `batch` say which examples are next."""

    step: int = 0
    tokens: int = 0
    learned: int = 0
    seconds: float = 0.0
    pool: int = 0
    batch: int = 0


class Run:
    """A training run: the model, its optimizers, its data and its progress."""

    def __init__(self, tokenizer: Tokenizer, seed: int, minutes: float, device: str) -> None:
        self.tokenizer = tokenizer
        self.seed = seed
        self.seconds = minutes * 60
        self.device = device
        self.progress = Progress()
        config = tiny_config(tokenizer.get_vocab_size())
        self.model: NemotronHForCausalLM = new_model(config, seed).to(device).train()
        self.optimizers = optimizers(self.model)

    def train(self) -> None:
        """Train until the time is up, with checkpoints on the way."""
        reported = saved = last = time.monotonic()
        losses: list[Tensor] = []
        since = self.progress.tokens
        with fast_scan():
            for batch in self._batches():
                losses.append(self._step(batch))
                now = time.monotonic()
                self.progress.seconds += now - last
                last = now
                if now - reported >= REPORT_SECONDS:
                    rate = (self.progress.tokens - since) / (now - reported)
                    self._report(torch.stack(losses).mean().item(), rate)
                    reported, since, losses = now, self.progress.tokens, []
                if now - saved >= SAVE_SECONDS:
                    self.save()
                    saved = now
        self.save()

    def save(self) -> None:
        """Write a checkpoint; one that is cut short never replaces the last."""
        part = CHECKPOINT.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "progress": asdict(self.progress),
                "seed": self.seed,
            },
            part,
        )
        part.replace(CHECKPOINT)

    def resume(self) -> None:
        """Go on where the checkpoint was written."""
        state = torch.load(CHECKPOINT, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])
        self.seed = state["seed"]

    def _batches(self) -> Iterator[Batch]:
        while self.progress.seconds < self.seconds:
            batches = pool_batches(self.tokenizer, self.seed, self.progress.pool, BATCH_TOKENS)
            for batch in batches[self.progress.batch :]:
                if self.progress.seconds >= self.seconds:
                    return
                self.progress.batch += 1
                yield batch
            self.progress.pool += 1
            self.progress.batch = 0

    def _step(self, batch: Batch) -> Tensor:
        rate = PEAK_RATE * rate_factor(self.progress.seconds / self.seconds)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        loss = completion_loss(self.model, batch, self.device)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.tokens += batch.ids.numel()
        self.progress.learned += int((batch.targets != IGNORED).sum())
        return loss.detach()

    def _report(self, loss: float, rate: float) -> None:
        left = max(0.0, self.seconds - self.progress.seconds) / 60
        print(
            f"step {self.progress.step}  {self.progress.tokens / 1e6:.2f} M tokens  "
            f"loss {loss:.4f}  {rate:.0f} tokens/s  {left:.1f} min left",
            flush=True,
        )


def completion_loss(model: NemotronHForCausalLM, batch: Batch, device: str) -> Tensor:
    """Return the mean loss of the learned tokens; no other position reaches the output layer."""
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        hidden = model.model(batch.ids.to(device), use_cache=False).last_hidden_state
        logits = model.lm_head(hidden.flatten(0, 1)[batch.positions.to(device)])
    return functional.cross_entropy(logits.float(), batch.targets.to(device), ignore_index=IGNORED)


def optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for all other parameters."""
    matrices, decayed, others = [], [], []
    for name, parameter in model.named_parameters():
        if "embeddings" in name or "lm_head" in name:
            decayed.append(parameter)
        elif parameter.ndim == 2:
            matrices.append(parameter)
        else:
            others.append(parameter)
    return [
        torch.optim.Muon(matrices, lr=PEAK_RATE, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
            lr=PEAK_RATE,
            betas=(0.9, 0.95),
            fused=True,
        ),
    ]


def rate_factor(passed: float) -> float:
    """Return the learning rate's factor: a short warm-up, a plateau, a straight way down."""
    if passed < WARM_UP:
        return max(0.02, passed / WARM_UP)
    return min(1.0, max(0.0, (1 - passed) / (1 - DECAY_FROM)))


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train nano2-tiny.")
    parser.add_argument("--minutes", type=float, default=75.0, help="training time in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, if any")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 = as torch likes")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    WORK.mkdir(parents=True, exist_ok=True)
    resuming = arguments.resume and CHECKPOINT.exists()
    if not resuming:
        build_tokenizer(arguments.seed).save(str(TOKENIZER))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run = Run(load_tokenizer(TOKENIZER), arguments.seed, arguments.minutes, device)
    if resuming:
        run.resume()
    run.train()


if __name__ == "__main__":
    main()
