"""From logits to the next tokens."""

import math
from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.engine.local.sequence import Sequence

_CANDIDATES = 256
"""The likeliest tokens are sorted first; they nearly always hold top-p of the probability, and only
where they do not is the whole vocabulary sorted."""


class Sampler:
    """Samples one token for each of several sequences, each by its own parameters and seed."""

    def sample(self, logits: Tensor, sequences: Rows[Sequence]) -> list[int | None]:
        """Choose the next tokens.

        Args:
            logits: [sequences, vocabulary], float32, any device.
            sequences: those that the rows belong to.

        Returns:
            A token per sequence; None where its logits or parameters are no numbers.
        """
        values, best = logits.max(dim=-1)
        tokens: list[int | None] = [
            token if math.isfinite(value) else None
            for token, value in zip(best.tolist(), values.tolist(), strict=True)
        ]
        rows = [
            row
            for row, sequence in enumerate(sequences)
            if tokens[row] is not None and sequence.request.sampling_params.temperature != 0
        ]
        if rows:
            drawn = self._draw(logits[rows], [sequences[row] for row in rows])
            for row, token in zip(rows, drawn, strict=True):
                tokens[row] = token
        return tokens

    def _draw(self, logits: Tensor, sequences: Rows[Sequence]) -> list[int | None]:
        params = [sequence.request.sampling_params for sequence in sequences]

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, device=logits.device).unsqueeze(1)

        logits = logits / column([p.temperature for p in params])
        chances, tokens = self._candidates(logits, params)
        kept = chances.cumsum(-1)
        drawn = column([sequence.random.random() for sequence in sequences]) * kept[:, -1:]
        choice = (kept <= drawn).sum(-1, keepdim=True).clamp_(max=chances.shape[1] - 1)
        usable = kept[:, -1].isfinite().tolist()
        chosen = tokens.gather(1, choice).squeeze(1).tolist()
        return [token if fine else None for token, fine in zip(chosen, usable, strict=True)]

    def _candidates(self, logits: Tensor, params: Rows[SamplingParams]) -> tuple[Tensor, Tensor]:
        """Keep the top-k, of these the smallest set that holds top-p of the probability.

        Returns:
            Probabilities (0 for what is not kept; no row need add up to 1) and tokens, both
            [sequences, candidates], best first.
        """
        vocabulary = logits.shape[-1]
        device = logits.device
        top_k = torch.tensor([[p.top_k or vocabulary] for p in params], device=device)
        top_p = torch.tensor([[p.top_p] for p in params], device=device)
        total = logits.logsumexp(dim=-1, keepdim=True)
        for count in (min(_CANDIDATES, vocabulary), vocabulary):
            best, tokens = logits.topk(count)
            chances = (best - total).exp()
            chances = chances.masked_fill(torch.arange(count, device=device) >= top_k, 0.0)
            kept = chances.cumsum(-1)
            # Top-p is a share of what top-k leaves; without top-k, of everything.
            mass = torch.where(top_k <= count, kept[:, -1:], 1.0)
            nucleus = (top_k == vocabulary) & (top_p < 1) & (kept[:, -1:] >= top_p)
            enough = (top_k <= count) | nucleus
            if count == vocabulary or bool(enough.all()):
                break
        outside = (kept - chances >= top_p * mass) & (top_p < 1)
        return chances.masked_fill(outside, 0.0), tokens
