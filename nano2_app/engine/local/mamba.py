"""The Mamba-2 layer (Dao and Gu 2024, arXiv 2405.21060): convolution, selective state, gated norm.

Two forms of the same recurrence: a step for tokens that are decoded, and the chunked scan of the
paper's section 6 for prompts. Both carry the state in the cache, so a prompt may be read in pieces.
All of it is computed in float32 between the two projections.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.layers import Linear, RMSNorm
from nano2_app.engine.local.model_shape import ModelShape
from nano2_app.engine.local.step_plan import StepPlan

Pieces = Sequence[tuple[int, int]]


class Mamba:
    """The mixer of one layer.

    Args:
        source: the layer of transformers; its weights are taken over.
        index: which of the cache's Mamba layers it is.
        piece_tokens: longest piece of a prompt that is computed together.
    """

    def __init__(self, source: Any, shape: ModelShape, index: int, piece_tokens: int) -> None:
        self._shape = shape
        self._index = index
        self._in, self._out = Linear(source.in_proj), Linear(source.out_proj)
        # [kernel, channels]: the channels innermost, as tokens lie in memory
        self._conv_weight = source.conv1d.weight.detach().float().squeeze(1).t().contiguous()
        bias = source.conv1d.bias
        self._conv_bias = (
            torch.zeros_like(self._conv_weight[0]) if bias is None else bias.detach().float()
        )
        self._a = -source.A_log.detach().float().exp()  # [heads]
        self._d = source.D.detach().float().unsqueeze(1)  # [heads, 1]
        self._minus_dt_bias = -source.dt_bias.detach().float()
        weight = source.norm.weight.unflatten(0, (shape.groups, -1))
        self._norm = RMSNorm(weight, source.norm.variance_epsilon)
        ones = torch.ones(piece_tokens, piece_tokens, dtype=torch.bool, device=self._a.device)
        self._later = ones.triu(1)

    def __call__(self, x: Tensor, plan: StepPlan, cache: HybridCache) -> Tensor:
        """Mix [rows, hidden] along each sequence, updating the states; same shape."""
        shape, batch = self._shape, plan.batch
        decoded, tokens = batch.decoded, batch.tokens
        sizes = [shape.mamba_width, shape.conv_width, shape.mamba_heads]
        gate, xbc, dt = torch.split(self._in(x), sizes, dim=-1)
        # softplus(dt + bias), but not by F.softplus, whose result depends on the place in memory
        dt = F.logsigmoid(self._minus_dt_bias - dt.float()).neg_()
        conv, recurrent = cache.conv[self._index], cache.recurrent[self._index]
        parts = []
        if decoded:
            states = conv[:decoded], recurrent[:decoded]
            parts.append(self._step(xbc[:decoded], dt[:decoded], *states))
        if batch.chunk:
            states = conv[batch.chunk_slot], recurrent[batch.chunk_slot]
            part = slice(decoded, tokens)
            parts.append(self._scan(xbc[part], dt[part], plan.pieces, *states))
        if batch.padding:
            parts.append(dt.new_zeros(batch.padding, shape.mamba_width))
        y = parts[0] if len(parts) == 1 else torch.cat(parts)
        y = y.mul_(F.silu(gate.float())).view(len(y), shape.groups, -1)
        return self._out(self._norm.normalize(y).flatten(1).to(x.dtype))

    def _step(self, xbc: Tensor, dt: Tensor, conv: Tensor, state: Tensor) -> Tensor:
        """One token of each of n sequences.

        Args:
            xbc: [n, conv width], before the convolution.
            dt: [n, heads].
            conv: [n, kernel - 1, conv width], updated.
            state: [n, heads, state, head dim], updated.

        Returns:
            [n, mamba width], float32.
        """
        shape, n = self._shape, len(xbc)
        window = torch.cat((conv, xbc.unsqueeze(1)), dim=1)  # [n, kernel, conv width]
        conv.copy_(window[:, 1:])
        xbc = F.silu((window * self._conv_weight).sum(1).add_(self._conv_bias))
        x, b, c = self._split(xbc)
        heads = shape.mamba_heads // shape.groups
        grouped = state.view(n, shape.groups, heads, shape.state_size, shape.mamba_head_dim)
        state.mul_(torch.exp(dt * self._a)[:, :, None, None])
        dtx = (x * dt.unsqueeze(2)).view(n, shape.groups, heads, 1, shape.mamba_head_dim)
        grouped.addcmul_(b[:, :, None, :, None], dtx)
        c = c.unsqueeze(2).expand(n, shape.groups, heads, shape.state_size)
        y = torch.bmm(c.reshape(-1, 1, shape.state_size), state.flatten(0, 1))
        return y.view_as(x).addcmul_(x, self._d).view(n, -1)

    def _scan(self, xbc: Tensor, dt: Tensor, pieces: Pieces, conv: Tensor, state: Tensor) -> Tensor:
        """Several tokens of one sequence.

        Args:
            xbc: [tokens, conv width], before the convolution.
            dt: [tokens, heads].
            pieces: begins and ends of what is computed together, adjoining.
            conv: [kernel - 1, conv width], updated.
            state: [heads, state, head dim], updated.

        Returns:
            [tokens, mamba width], float32.
        """
        tokens = len(xbc)
        window = torch.cat((conv, xbc))
        conv.copy_(window[tokens:])
        window = window.float()
        mixed = self._conv_bias.expand(tokens, -1)
        for offset, weight in enumerate(self._conv_weight):
            mixed = torch.addcmul(mixed, window[offset : offset + tokens], weight)
        x, b, c = self._split(F.silu(mixed))
        parts, first = [], 0
        for length, group in groupby(end - begin for begin, end in pieces):
            size = length * len(list(group))
            part = slice(first, first + size)
            parts.append(
                self._scan_pieces(
                    *(t[part].view(-1, length, *t.shape[1:]) for t in (x, b, c, dt)), state=state
                )
            )
            first += size
        y = parts[0] if len(parts) == 1 else torch.cat(parts)
        return y.addcmul_(x, self._d).flatten(1)

    def _scan_pieces(self, x: Tensor, b: Tensor, c: Tensor, dt: Tensor, *, state: Tensor) -> Tensor:
        """The scan over pieces of equal length: within each, and what the state brings into it.

        Args:
            x: [pieces, tokens, heads, head dim].
            b: [pieces, tokens, groups, state].
            c: as b.
            dt: [pieces, tokens, heads].
            state: [heads, state, head dim], updated.

        Returns:
            [pieces * tokens, heads, head dim].
        """
        pieces, tokens, heads = dt.shape
        per_group = heads // self._shape.groups
        decay = (dt * self._a).cumsum(1).transpose(1, 2)  # [pieces, heads, tokens], log
        dtx = (x * dt.unsqueeze(3)).transpose(1, 2)  # [pieces, heads, tokens, head dim]
        b, c = (t.transpose(1, 2).repeat_interleave(per_group, dim=1) for t in (b, c))
        between = decay.unsqueeze(3) - decay.unsqueeze(2)  # [pieces, heads, to, from]
        between = between.masked_fill_(self._later[:tokens, :tokens], float("-inf")).exp_()
        y = (c @ b.transpose(2, 3)).mul_(between) @ dtx
        left = dtx * (decay[:, :, -1:] - decay).exp_().unsqueeze(3)
        b, decay = b.transpose(2, 3), decay.exp_().unsqueeze(3)
        for piece in range(pieces):
            y[piece].addcmul_(torch.bmm(c[piece], state), decay[piece])
            state.mul_(decay[piece, :, -1:])
            state.baddbmm_(b[piece], left[piece])
        return y.transpose(1, 2).flatten(0, 1)

    def _split(self, xbc: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take x [n, heads, head dim], B and C [n, groups, state] apart."""
        shape, n = self._shape, len(xbc)
        side = shape.groups * shape.state_size
        x, b, c = torch.split(xbc, [shape.mamba_width, side, side], dim=-1)
        x = x.reshape(n, shape.mamba_heads, shape.mamba_head_dim)
        return x, b.view(n, shape.groups, -1), c.view(n, shape.groups, -1)
