"""The layers without memory: linear, normalization, MLP. Token by token, so in any batch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.step_plan import StepPlan

_PACKS = "fbgemm" in torch.backends.quantized.supported_engines

PACKED_DTYPE = torch.float16 if _PACKS else torch.float32
"""Of a linear layer's weights on a CPU: FBGEMM is there on x86."""


class Linear:
    """`x @ weight.T + bias`, [..., in] to [..., out].

    On a CPU the weight is packed by FBGEMM in 16 bits, which holds a bfloat16 weight to the bit
    down to 6e-5 and to 3e-8 below, and multiplied in float32: half the memory of float32 weights
    and the fastest of torch's products for a few rows (measured: benchmarks/notes.md).

    Args:
        source: its parameters are taken over, and emptied where a packed copy replaces them.
        relu: apply relu to the result.
    """

    def __init__(self, source: nn.Linear, *, relu: bool = False) -> None:
        bias: Tensor | None = source.bias  # torch declares it a Tensor
        self._bias = None if bias is None else bias.detach()
        self._weight = source.weight.detach()
        self._relu = relu
        self._packed: torch.ScriptObject | None = None
        if self._weight.device.type != "cpu":
            return
        self._weight = self._weight.float()
        self._bias = None if self._bias is None else self._bias.float()
        if _PACKS:
            self._packed = torch.ops.quantized.linear_prepack_fp16(self._weight, self._bias)
            self._weight = torch.empty(0)
        source.weight = nn.Parameter(torch.empty(0), requires_grad=False)

    def __call__(self, x: Tensor) -> Tensor:
        """Apply."""
        if self._packed is not None:
            ops = torch.ops.quantized
            apply = ops.linear_relu_dynamic_fp16 if self._relu else ops.linear_dynamic_fp16
            packed: Tensor = apply(x, self._packed)
            return packed
        y = F.linear(x, self._weight, self._bias)
        return F.relu(y) if self._relu else y


class RMSNorm:
    """Root mean square normalization over the last dimension, in float32."""

    def __init__(self, weight: Tensor, eps: float) -> None:
        size = weight.shape[-1]
        self._scale = weight.detach().float() * math.sqrt(size)
        self._eps = torch.tensor(math.sqrt(eps * size), device=weight.device)

    def __call__(self, x: Tensor) -> Tensor:
        """Normalize [..., hidden]; the result has the dtype of `x`."""
        return self.normalize(x.float()).to(x.dtype)

    def normalize(self, x: Tensor) -> Tensor:
        """Normalize float32, with the square root of the sum of squares as one operation."""
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return (x / length.hypot_(self._eps)).mul_(self._scale)


class MLP:
    """Two linear layers with a squared relu between them."""

    def __init__(self, up_proj: nn.Linear, down_proj: nn.Linear) -> None:
        self._up = Linear(up_proj, relu=True)
        self._down = Linear(down_proj)

    def __call__(self, x: Tensor, _plan: StepPlan, _cache: HybridCache) -> Tensor:
        """Map [rows, hidden] to the same."""
        return self._down(self._up(x).square_())
