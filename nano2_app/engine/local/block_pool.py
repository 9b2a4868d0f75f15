"""Which blocks of keys and values are whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from nano2_app.engine.local.memory_plan import BLOCK_TOKENS


@dataclass(frozen=True)
class BlockTable:
    """The blocks of one sequence, in the order of its tokens."""

    blocks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.blocks)

    @cached_property
    def first_row(self) -> int | None:
        """Where its tokens begin if they all lie in one piece, counted as in `row`; else None."""
        if self.blocks != tuple(range(self.blocks[0], self.blocks[0] + len(self))):
            return None
        return self.blocks[0] * BLOCK_TOKENS

    def row(self, position: int) -> int:
        """Where the token at a position lies, counting the tokens of all blocks of the pool."""
        return self.blocks[position // BLOCK_TOKENS] * BLOCK_TOKENS + position % BLOCK_TOKENS


class BlockPool:
    """Hands out blocks by number; a block may have several holders and is free without one.

    A sequence and the prefixes kept of it hold the same blocks: what is written in a block up to a
    length is never written again.
    """

    def __init__(self, blocks: int) -> None:
        self.size = blocks
        self._holders = [0] * blocks
        self.free = blocks

    def allocate(self, count: int) -> tuple[int, ...]:
        """Take free blocks, neighbours if there are any; the caller has checked their number."""
        taken = self._neighbours(count) or self._any(count)
        for block in taken:
            self._holders[block] = 1
        self.free -= count
        return taken

    def hold(self, blocks: Sequence[int]) -> None:
        """Become a further holder."""
        for block in blocks:
            self._holders[block] += 1

    def release(self, blocks: Sequence[int]) -> None:
        """Stop being a holder."""
        for block in blocks:
            self._holders[block] -= 1
            self.free += self._holders[block] == 0

    def _neighbours(self, count: int) -> tuple[int, ...]:
        run = 0
        for block, holders in enumerate(self._holders):
            run = 0 if holders else run + 1
            if run == count:
                return tuple(range(block + 1 - count, block + 1))
        return ()

    def _any(self, count: int) -> tuple[int, ...]:
        free = (block for block, holders in enumerate(self._holders) if not holders)
        return tuple(islice(free, count))
