"""Attention over keys and values in blocks. The model has no positional embedding."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.bias import CausalBias

from nano2_app.engine.local.block_pool import BlockTable
from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.layers import Linear
from nano2_app.engine.local.memory_plan import BLOCK_TOKENS, blocks_for
from nano2_app.engine.local.model_shape import ModelShape
from nano2_app.engine.local.step_plan import StepPlan


class Attention:
    """Grouped-query attention of one layer, sequence by sequence.

    Each sequence's keys are attended to where they lie, at their own length: padding them to the
    longest of a batch costs two to five times as much on a CPU (benchmarks/notes.md).

    Args:
        source: the layer of transformers; its weights are taken over.
        index: which of the cache's attention layers it is.
    """

    def __init__(self, source: Any, shape: ModelShape, index: int) -> None:
        self._shape = shape
        self._index = index
        self._q, self._k, self._v, self._out = (
            Linear(projection)
            for projection in (source.q_proj, source.k_proj, source.v_proj, source.o_proj)
        )

    def __call__(self, x: Tensor, plan: StepPlan, cache: HybridCache) -> Tensor:
        """Attend from [rows, hidden] to everything each sequence has read; same shape."""
        shape, batch = self._shape, plan.batch
        keys, values = (
            pool[self._index].view(-1, shape.kv_heads, shape.head_dim)
            for pool in (cache.keys, cache.values)
        )
        q = self._q(x).view(-1, shape.attention_heads, shape.head_dim)
        for pool, new in ((keys, self._k(x)), (values, self._v(x))):
            new = new.view(-1, shape.kv_heads, shape.head_dim)
            pool.index_copy_(0, plan.rows, new[: batch.tokens])
        parts = []
        for row, span in enumerate(batch.decoding):
            k, v = (stored(pool, span.blocks, span.end) for pool in (keys, values))
            parts.append(self._attend(q[row : row + 1], k, v))
        if chunk := batch.chunk:
            k, v = (stored(pool, chunk.blocks, chunk.end) for pool in (keys, values))
            first = batch.decoded - chunk.start
            for start, end in plan.pieces:
                piece = q[first + start : first + end], k[:, :, :end], v[:, :, :end]
                parts.append(self._attend(*piece, plan.mask(end - start, end)))
        if batch.padding:
            parts.append(q.new_zeros(batch.padding, shape.attention_heads * shape.head_dim))
        return self._out(parts[0] if len(parts) == 1 else torch.cat(parts))

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | CausalBias | None = None
    ) -> Tensor:
        """Attend from several tokens of a sequence, or from one, which sees all keys.

        Args:
            q: [tokens, heads, head dim].
            k: [1, kv heads, keys, head dim].
            v: as k.
            mask: of `StepPlan.mask`.

        Returns:
            [tokens, heads * head dim].
        """
        if isinstance(mask, CausalBias):
            q = q.transpose(0, 1).unsqueeze(0)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
            return y[0].transpose(0, 1).flatten(1)
        # The heads of a group share their keys as if they were so many tokens: half as costly.
        grouped = q.view(len(q), self._shape.kv_heads, -1, self._shape.head_dim).transpose(0, 1)
        y = F.scaled_dot_product_attention(grouped.flatten(1, 2)[None], k, v, attn_mask=mask)
        return y.view_as(grouped).transpose(0, 1).reshape(len(q), -1)


def stored(pool: Tensor, table: BlockTable, length: int) -> Tensor:
    """Keys or values of the first tokens of a sequence: [1, kv heads, length, head dim].

    Args:
        pool: [tokens of all blocks, kv heads, head dim].
        table: of the sequence.
        length: tokens.
    """
    first = table.first_row
    if first is not None:
        rows = pool[first : first + length]
    else:
        used = table.blocks[: blocks_for(length)]
        by_block = pool.view(-1, BLOCK_TOKENS, *pool.shape[1:])
        rows = by_block[torch.tensor(used, device=pool.device)].flatten(0, 1)[:length]
    return rows.transpose(0, 1).unsqueeze(0)
