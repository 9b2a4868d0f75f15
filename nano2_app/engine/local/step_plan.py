"""What all layers share in one step."""

import torch
from torch import Tensor
from torch.nn.attention.bias import CausalBias, causal_lower_right

from nano2_app.engine.local.batch import Batch


class CausalMask:
    """Which keys the tokens of a piece may see, for pieces of any length at any place.

    Args:
        tokens: longest piece.
        width: longest context, tokens.
        repeat: heads that share their keys; each token has as many rows.
    """

    def __init__(self, tokens: int, width: int, repeat: int, device: torch.device) -> None:
        self.tokens = tokens
        self.device = device
        self._repeat = repeat
        if device.type == "cpu":
            mask = torch.full((tokens, width), float("-inf")).triu_(width - tokens + 1)
            self._mask = mask.repeat_interleave(repeat, dim=0)

    def __call__(self, count: int, end: int) -> Tensor | CausalBias:
        """What the last `count` of `end` tokens may see: [count * repeat, end], or its idea."""
        if self.device.type != "cpu":
            return causal_lower_right(count, end)  # lets the flash kernel do without a mask
        return self._mask[(self.tokens - count) * self._repeat :, self._mask.shape[1] - end :]


class StepPlan:
    """Where the tokens of a batch go, and who may see which.

    Attributes:
        rows: [tokens], where new keys and values go, counting the tokens of all blocks.
        pieces: begins and ends of the chunk's pieces, as positions in its sequence.
    """

    def __init__(self, batch: Batch, mask: CausalMask) -> None:
        self.batch = batch
        self.mask = mask
        self.rows = torch.tensor(batch.rows(), device=mask.device)
        self.pieces = batch.chunk.pieces(mask.tokens) if batch.chunk else []
