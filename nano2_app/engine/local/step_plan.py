"""What all layers share in one step."""

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right

from nano2_app.engine.local.batch import Batch


class StepPlan:
    """Where the tokens of a batch go, and who may see which.

    Args:
        mask: of `causal_mask`, for a whole piece and context.

    Attributes:
        rows: [tokens], where new keys and values go, counting the tokens of all blocks.
        pieces: begins and ends of the chunk's pieces, as positions in its sequence.
    """

    def __init__(self, batch: Batch, mask: Tensor) -> None:
        self.batch = batch
        self.rows = torch.tensor(batch.rows(), device=mask.device)
        self.pieces = batch.chunk.pieces(len(mask)) if batch.chunk else []
        self._mask = mask

    def mask(self, count: int, end: int) -> Tensor:
        """What the last `count` of `end` tokens may see: [count, end]."""
        if self._mask.device.type == "cuda":
            return causal_lower_right(count, end)  # lets the flash kernel do without a mask
        tokens, width = self._mask.shape
        return self._mask[tokens - count :, width - end :]


def causal_mask(tokens: int, width: int, *, device: torch.device) -> Tensor:
    """What the last `tokens` of `width` may see: [tokens, width], 0 or minus infinity."""
    mask = torch.full((tokens, width), float("-inf"), device=device)
    return mask.triu_(width - tokens + 1)
