"""The selective scan of Mamba-2 as a few matrix products, for training on a CPU.

The PyTorch fallback of `transformers` spells the products of the scan out as broadcast
multiplications and sums, which is several times slower than a matrix product. The function here
computes the same (a test compares the two) for one group of B and C.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.models.nemotron_h import modeling_nemotron_h

CHUNK = 64


def chunked_scan(
    hidden: Tensor,
    dt: Tensor,
    decay: Tensor,
    b: Tensor,
    c: Tensor,
    *,
    skip: Tensor,
    dt_bias: Tensor,
    chunk: int = CHUNK,
) -> Tensor:
    """Scan a batch of sequences from an empty state.

    Args:
        hidden: inputs, [batch, length, heads, head_dim].
        dt: raw time steps, [batch, length, heads].
        decay: the (negative) decay rate A of each head.
        b: input projections, [batch, length, 1, state].
        c: output projections, [batch, length, 1, state].
        skip: the weight D with which each head passes its input on.
        dt_bias: added to `dt` before the softplus.
        chunk: positions that one block of the decay matrix spans.
    """
    batch, length, heads, width = hidden.shape
    pad = -length % chunk
    steps = functional.softplus(dt.float() + dt_bias.float())
    skipped = hidden * skip.to(hidden.dtype)[:, None]
    # From here on the axes are batch, chunk, head and the position within the chunk.
    inputs = functional.pad(hidden * steps[..., None].to(hidden.dtype), (0, 0, 0, 0, 0, pad))
    chunks = (batch, -1, chunk)
    inputs = inputs.reshape(*chunks, heads, width).transpose(2, 3)
    rates = functional.pad(steps * decay.float(), (0, 0, 0, pad))
    total = rates.reshape(*chunks, heads).transpose(2, 3).cumsum(-1)
    b = functional.pad(b[:, :, 0], (0, 0, 0, pad)).reshape(*chunks, b.shape[-1])
    c = functional.pad(c[:, :, 0], (0, 0, 0, pad)).reshape(*chunks, c.shape[-1])

    future = torch.ones(chunk, chunk, dtype=torch.bool, device=hidden.device).triu(1)
    within = (total[..., :, None] - total[..., None, :]).masked_fill(future, -torch.inf).exp()
    weights = within.to(hidden.dtype) * (c @ b.transpose(-1, -2))[:, :, None]
    output = weights @ inputs

    if inputs.shape[1] > 1:
        to_end = (total[..., -1:] - total).exp().to(hidden.dtype)
        added = (inputs * to_end[..., None]).transpose(-1, -2) @ b[:, :, None]
        before = _states_before(added.float(), total[..., -1].exp())
        carried = c[:, :, None] @ before.to(hidden.dtype).transpose(-1, -2)
        output = output + carried * total.exp().to(hidden.dtype)[..., None]
    output = output.transpose(2, 3).reshape(batch, length + pad, heads, width)
    return output[:, :length] + skipped


def _states_before(added: Tensor, kept: Tensor) -> Tensor:
    """Return the state at the start of each chunk, from what each chunk adds and keeps."""
    state = torch.zeros_like(added[:, 0])
    states = []
    for index in range(added.shape[1]):
        states.append(state)
        state = state * kept[:, index, :, None, None] + added[:, index]
    return torch.stack(states, dim=1)


@contextmanager
def fast_scan() -> Iterator[None]:
    """Let the model of `transformers` train with `chunked_scan` inside the block."""
    original = modeling_nemotron_h.mamba2_chunk_scan

    def scan(
        hidden: Tensor, dt: Tensor, decay: Tensor, b: Tensor, c: Tensor, **options: Any
    ) -> Tensor:
        return chunked_scan(hidden, dt, decay, b, c, skip=options["D"], dt_bias=options["dt_bias"])

    modeling_nemotron_h.mamba2_chunk_scan = scan
    try:
        yield
    finally:
        modeling_nemotron_h.mamba2_chunk_scan = original
