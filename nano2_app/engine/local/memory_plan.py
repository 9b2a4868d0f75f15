"""How many sequences of which length fit a given memory: what the engine admits by."""

from dataclasses import dataclass

from nano2_app.engine.local.model_shape import ModelShape
from nano2_app.errors import ModelUnavailable

BLOCK_TOKENS = 64
"""Keys and values are handed out in blocks of this many tokens."""

_MIN_TOKENS_PER_SLOT = 4096
"""A slot that could not hold a conversation of this length is not worth its state."""

_SNAPSHOTS_PER_SLOT = 4


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What the cache is made of.

    Attributes:
        slots: sequences that run at a time.
        blocks: blocks of BLOCK_TOKENS tokens of keys and values, shared by the slots and by the
            kept prefixes.
        snapshots: prefixes that are kept at most.
    """

    slots: int
    blocks: int
    snapshots: int

    @property
    def tokens(self) -> int:
        """Tokens whose keys and values fit."""
        return self.blocks * BLOCK_TOKENS

    def bytes(self, shape: ModelShape) -> int:
        """Bytes of the cache: state of all slots, keys and values of all blocks."""
        return self.slots * shape.state_bytes_per_sequence + self.tokens * shape.kv_bytes_per_token


def plan_memory(
    shape: ModelShape, budget: int, *, context_length: int, max_slots: int
) -> MemoryPlan:
    """Divide `budget` bytes between the state of the slots and the blocks they share.

    As many slots as can hold a conversation each, at most `max_slots`; one sequence alone may fill
    the whole context if that fits at all.

    Raises:
        ModelUnavailable: not even one sequence fits; the message has the numbers.
    """
    per_slot = min(context_length, _MIN_TOKENS_PER_SLOT)
    for slots in range(max_slots, 0, -1):
        wanted = max(slots * per_slot, context_length) if slots > 1 else per_slot
        left = budget - slots * shape.state_bytes_per_sequence
        blocks = blocks_for(slots * context_length)
        if shape.kv_bytes_per_token:
            blocks = min(blocks, max(0, left) // (shape.kv_bytes_per_token * BLOCK_TOKENS))
        if left >= 0 and blocks >= blocks_for(wanted):
            return MemoryPlan(slots, blocks, snapshots=_SNAPSHOTS_PER_SLOT * slots)
    needed = shape.state_bytes_per_sequence + per_slot * shape.kv_bytes_per_token
    raise ModelUnavailable(
        f"After the model's weights {budget / 2**30:.2f} GiB of memory are left, and one "
        f"conversation needs {needed / 2**30:.2f} GiB; free some memory, or use a larger device."
    )


def blocks_for(tokens: int) -> int:
    """Number of blocks that hold so many tokens."""
    return -(-tokens // BLOCK_TOKENS)
