"""Batches of examples of about the same length, the same ones for the same seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.conversation import training_conversation
from training.examples import Example, build_example

POOL = 4096
# Every new shape of a matrix product costs the CPU's kernels a compilation, so shapes are few.
LENGTH_STEP = 32
TARGETS_STEP = 256
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded ids, and for every learned token where it is predicted from and what it is.

    Both are filled up with positions that do not count, marked `IGNORED` as their target.
    """

    ids: Tensor
    positions: Tensor
    targets: Tensor


def pool_batches(tokenizer: Tokenizer, seed: int, pool: int, tokens: int) -> list[Batch]:
    """Return the batches of the pool with the given number, in random order."""
    rng = Random(f"examples {seed} {pool}")
    examples = [build_example(tokenizer, training_conversation(rng), rng) for _ in range(POOL)]
    batches = [collate(group) for group in _groups(examples, tokens)]
    rng.shuffle(batches)
    return batches


def _groups(examples: Sequence[Example], tokens: int) -> Iterator[list[Example]]:
    """Group by length; a group that stays short is filled up with its own examples."""
    buckets: dict[int, list[Example]] = {}
    for example in examples:
        buckets.setdefault(_rounded(len(example.ids), LENGTH_STEP), []).append(example)
    for width, bucket in sorted(buckets.items()):
        size = max(1, tokens // width)
        for start in range(0, len(bucket), size):
            group = bucket[start : start + size]
            yield (group * size)[:size]


def _rounded(number: int, step: int) -> int:
    return -(-number // step) * step


def collate(examples: Sequence[Example]) -> Batch:
    """Pad on the right: causal layers never look there, and no pad is a target."""
    width = _rounded(max(len(example.ids) for example in examples), LENGTH_STEP)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    learned = torch.zeros(len(examples), width, dtype=torch.bool)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        learned[row, : len(example.ids)] = torch.tensor(example.learned)
    places = learned.flatten().nonzero()[:, 0]
    spare = _rounded(len(places), TARGETS_STEP) - len(places)
    return Batch(
        ids=ids,
        positions=functional.pad(places - 1, (0, spare)),
        targets=functional.pad(ids.flatten()[places], (0, spare), value=IGNORED),
    )
