"""From logits to the next token."""

import torch

from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.errors import GenerationFailed


class Sampler:
    """Samples the tokens of one sequence; the same seed and logits give the same tokens."""

    def __init__(self, params: SamplingParams) -> None:
        self._params = params
        # On the CPU whatever the device: the same seed means the same numbers everywhere.
        self._generator = torch.Generator()
        if params.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(params.seed)

    def sample(self, logits: torch.Tensor) -> int:
        """Choose the next token.

        Args:
            logits: [vocabulary], float32, any device.

        Raises:
            GenerationFailed: the logits are no numbers.
        """
        best = int(logits.argmax())
        if not torch.isfinite(logits[best]):
            raise GenerationFailed("The model produced no usable numbers; try again.")
        if self._params.temperature == 0:
            return best
        probabilities, tokens = self._candidates(logits / self._params.temperature)
        choice = torch.multinomial(probabilities.cpu(), 1, generator=self._generator)
        return int(tokens[choice])

    def _candidates(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep the top-k, of these the smallest set that holds top-p of the probability."""
        top_k = self._params.top_k or logits.numel()
        logits, tokens = logits.topk(min(top_k, logits.numel()))  # sorted, best first
        probabilities = logits.softmax(dim=-1)
        if self._params.top_p < 1:
            before = probabilities.cumsum(dim=-1) - probabilities
            probabilities = probabilities.masked_fill(before >= self._params.top_p, 0.0)
        return probabilities, tokens
