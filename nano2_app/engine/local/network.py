"""The forward pass of a `nemotron_h` model over one step's batch.

The weights are those that transformers loaded; the pass is our own, because transformers' takes one
state per call: here the sequences of a batch have states of their own, each in its slot.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nano2_app.engine.local.attention import Attention
from nano2_app.engine.local.batch import Batch
from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.layers import MLP, PACKED_DTYPE, Linear, RMSNorm
from nano2_app.engine.local.mamba import Mamba
from nano2_app.engine.local.model_shape import ModelShape
from nano2_app.engine.local.row_padding import PROBE_WIDTH, RowPadding
from nano2_app.engine.local.step_plan import CausalMask, StepPlan


class Network:
    """A model, ready to read batches.

    Args:
        source: `NemotronHForCausalLM`; its weights are taken over, so it can't be used after.

    Attributes:
        shape: its sizes.
        weight_dtype: of the weights.
        dtype: of what it computes between layers, and of keys and values: on a CPU float32.
        piece_tokens: length of the pieces in which a prompt is computed. On a CPU short ones, so
            that few tokens can be read beside others' decoding.
        padding: number of rows to add to a batch.
        parameters: number of its weights.
        weight_bytes: their size; what decoding one token has to read at the least.
    """

    def __init__(self, source: Any) -> None:
        config = source.config
        self.device: torch.device = source.device
        on_cpu = self.device.type == "cpu"
        self.dtype: torch.dtype = torch.float32 if on_cpu else source.dtype
        self.weight_dtype: torch.dtype = PACKED_DTYPE if on_cpu else source.dtype
        self.parameters: int = source.num_parameters()
        self.weight_bytes = self.parameters * self.weight_dtype.itemsize
        self.shape = ModelShape.from_config(config, dtype_bytes=self.dtype.itemsize)
        self.piece_tokens = 8 if on_cpu else 128
        self.padding = _row_padding() if on_cpu else _no_padding
        self._mask = CausalMask(
            self.piece_tokens,
            config.max_position_embeddings,
            self.shape.attention_heads // self.shape.kv_heads,
            self.device,
        )
        self._embedding = source.model.embeddings.weight.detach().clone()
        self._layers: list[tuple[RMSNorm, Mamba | Attention | MLP]] = []
        counts = {"linear_attention": 0, "full_attention": 0, "mlp": 0}
        for kind, block in zip(self.shape.layers, source.model.layers, strict=True):
            norm = RMSNorm(block.norm.weight, block.norm.variance_epsilon)
            self._layers.append((norm, self._mixer(kind, block.mixer, counts[kind])))
            counts[kind] += 1
        final = source.model.norm_f
        self._norm = RMSNorm(final.weight, final.variance_epsilon)
        self._head = Linear(source.lm_head)

    def _mixer(self, kind: str, source: Any, index: int) -> Mamba | Attention | MLP:
        if kind == "linear_attention":
            return Mamba(source, self.shape, index, self.piece_tokens)
        if kind == "full_attention":
            return Attention(source, self.shape, index)
        return MLP(source.up_proj, source.down_proj)

    @torch.inference_mode()
    def forward(self, batch: Batch, cache: HybridCache) -> Tensor:
        """Read one step's tokens, updating the cache.

        Returns:
            Logits of each decoded token's successor, then of the chunk's if it is wanted:
            [sequences, vocabulary], float32.
        """
        x = self._embedding[batch.token_ids].to(self.dtype)
        plan = StepPlan(batch, self._mask)
        for norm, mixer in self._layers:
            x = x + mixer(norm(x), plan, cache)
        wanted = x[: batch.decoded]
        if batch.wants_logits:
            wanted = torch.cat((wanted, x[batch.tokens - 1 : batch.tokens]))
        rows = len(wanted)
        wanted = F.pad(wanted, (0, 0, 0, self.padding(rows)))
        logits: Tensor = self._head(self._norm(wanted)).float()
        return logits[:rows]


def _row_padding() -> RowPadding:
    return RowPadding(Linear(nn.Linear(PROBE_WIDTH, 96)))


def _no_padding(_: int) -> int:
    return 0
