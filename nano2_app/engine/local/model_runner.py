"""Runs a step of the scheduler on the model."""

import torch
from torch import Tensor

from nano2_app.engine.local.batch import Batch, Span
from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.network import Network
from nano2_app.engine.local.scheduler import Step
from nano2_app.engine.local.sequence import Sequence


class ModelRunner:
    """The model and its memory on their device. Used by one thread only.

    Args:
        threads: CPU threads for one operation.

    Attributes:
        cache: the memory.
    """

    def __init__(self, network: Network, cache: HybridCache, threads: int) -> None:
        self._network = network
        self._threads = threads
        self.cache = cache

    def take_thread(self) -> None:
        """Make the calling thread the one that runs the model.

        It alone gets helpers: OpenMP puts them to sleep between two operations as soon as those of
        all threads together are more than the processors, and waking them took half of a step.
        """
        torch.set_num_threads(self._threads)

    @property
    def piece_tokens(self) -> int:
        """Length of the pieces in which a prompt is computed."""
        return self._network.piece_tokens

    def forward(self, step: Step) -> Tensor:
        """Read the tokens of a step, updating the state of its sequences.

        Returns:
            Logits of the decoding sequences, then of the reading one if these were its last
            tokens: [sequences, vocabulary], float32.
        """
        spans = [(sequence, 1) for sequence in step.decoding]
        if step.reading:
            spans.append((step.reading, step.count))
        tokens = [
            token
            for sequence, count in spans
            for token in sequence.tokens[sequence.num_computed : sequence.num_computed + count]
        ]
        tokens += [0] * self._network.padding(len(tokens))
        batch = Batch(
            token_ids=torch.tensor(tokens, device=self._network.device),
            decoding=[_span(sequence, 1) for sequence in step.decoding],
            chunk=_span(step.reading, step.count) if step.reading else None,
            chunk_slot=step.slot,
            wants_logits=step.last,
        )
        return self._network.forward(batch, self.cache)


def _span(sequence: Sequence, count: int) -> Span:
    return Span(sequence.table, sequence.num_computed, count, sequence.cuts)
