"""The memory of running sequences: state per slot, keys and values in shared blocks."""

from dataclasses import dataclass

import torch

from nano2_app.engine.local.memory_plan import BLOCK_TOKENS, MemoryPlan
from nano2_app.engine.local.model_shape import ModelShape


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """Convolution and recurrent state of one sequence at one length, in the host's memory."""

    conv: list[torch.Tensor]
    recurrent: list[torch.Tensor]


class HybridCache:
    """Tensors of all slots and blocks, allocated once.

        conv[m]       [slots, kernel - 1, conv width]      one per Mamba layer, network's dtype
        recurrent[m]  [slots, heads, state, head dim]      one per Mamba layer, float32
        keys[a]       [blocks, BLOCK_TOKENS, kv heads, head dim]       one per attention layer
        values[a]     as keys

    The recurrent state lies with the head's channels innermost, where a decoding step adds an outer
    product and reads it with a vector at the speed of memory; transposed, it is the
    [heads, head dim, state] of mamba-ssm and transformers.
    """

    def __init__(
        self, shape: ModelShape, plan: MemoryPlan, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.plan = plan
        self.device = device

        def zeros(*size: int, dtype: torch.dtype = dtype) -> torch.Tensor:
            return torch.zeros(size, dtype=dtype, device=device)

        conv = (plan.slots, shape.conv_kernel - 1, shape.conv_width)
        recurrent = (plan.slots, shape.mamba_heads, shape.state_size, shape.mamba_head_dim)
        blocks = (plan.blocks, BLOCK_TOKENS, shape.kv_heads, shape.head_dim)
        mamba, attention = range(shape.mamba_layers), range(shape.attention_layers)
        self.conv = [zeros(*conv) for _ in mamba]
        self.recurrent = [zeros(*recurrent, dtype=torch.float32) for _ in mamba]
        self.keys = [zeros(*blocks) for _ in attention]
        self.values = [zeros(*blocks) for _ in attention]

    @property
    def _states(self) -> list[torch.Tensor]:
        return [*self.conv, *self.recurrent]

    def reset(self, slot: int) -> None:
        """Give a slot the state of an empty sequence."""
        for state in self._states:
            state[slot].zero_()

    def swap(self, slot: int, other: int) -> None:
        """Exchange the states of two slots."""
        if slot == other:
            return
        for state in self._states:
            kept = state[slot].clone()
            state[slot].copy_(state[other])
            state[other].copy_(kept)

    def snapshot(self, slot: int) -> StateSnapshot:
        """Copy the state of a slot."""
        return StateSnapshot(
            [state[slot].clone().cpu() for state in self.conv],
            [state[slot].clone().cpu() for state in self.recurrent],
        )

    def restore(self, slot: int, snapshot: StateSnapshot) -> None:
        """Give a slot the state of a snapshot."""
        for state, kept in zip(self.conv, snapshot.conv, strict=True):
            state[slot].copy_(kept)
        for state, kept in zip(self.recurrent, snapshot.recurrent, strict=True):
            state[slot].copy_(kept)

    def copy_block(self, source: int, target: int) -> None:
        """Copy the keys and values of a block."""
        for pool in (*self.keys, *self.values):
            pool[target].copy_(pool[source])
