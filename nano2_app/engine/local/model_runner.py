"""Runs the model over the tokens of a sequence."""

from typing import TypeAlias

import torch
from transformers import DynamicCache, PreTrainedModel

SequenceState: TypeAlias = DynamicCache
"""What the model remembers of one sequence: keys and values of the attention layers, convolution
and recurrent state of the Mamba layers."""


class ModelRunner:
    """The model on its device. Used by one thread only."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model

    def new_state(self) -> SequenceState:
        """Start an empty state."""
        return DynamicCache(config=self._model.config)

    @torch.inference_mode()
    def forward(self, token_ids: list[int], state: SequenceState) -> torch.Tensor:
        """Read more tokens of a sequence, updating its state in place.

        Returns:
            Logits after the last token: [vocabulary], float32.
        """
        input_ids = torch.tensor([token_ids], device=self._model.device)
        output = self._model(input_ids, past_key_values=state, use_cache=True, logits_to_keep=1)
        logits: torch.Tensor = output.logits[0, -1].float()
        return logits
