"""Who holds what of the cache: slots, blocks and kept prefixes."""

from collections.abc import Iterable

from nano2_app.engine.local.block_pool import BlockPool, BlockTable
from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.memory_plan import BLOCK_TOKENS, blocks_for
from nano2_app.engine.local.prefix_cache import Prefix, PrefixCache
from nano2_app.engine.local.sequence import Sequence
from nano2_app.engine.stats import EngineStats

MIN_PREFIX = 32
"""Reading fewer tokens than this again costs less than keeping them."""


class CacheManager:
    """Gives sequences a slot's state and the blocks for all they may ever need, or nothing.

    What is admitted can finish: no running sequence ever waits for memory. Blocks that only kept
    prefixes hold are free for whoever needs them. A sequence that begins like a kept prefix shares
    its blocks on a GPU; on a CPU it gets copies, so that all its keys lie in one piece.
    """

    def __init__(self, cache: HybridCache, stats: EngineStats) -> None:
        self.cache = cache
        self._stats = stats
        self._shares = cache.device.type != "cpu"
        self._pool = BlockPool(cache.plan.blocks)
        self._prefixes = PrefixCache()

    @property
    def slots(self) -> int:
        """Number of sequences that can run at a time."""
        return self.cache.plan.slots

    @property
    def capacity(self) -> int:
        """Most tokens that a sequence can have when it is alone."""
        return self.cache.plan.tokens

    @property
    def used_tokens(self) -> int:
        """Tokens whose room is taken, by running sequences and kept prefixes."""
        return (self._pool.size - self._pool.free) * BLOCK_TOKENS

    @property
    def kept_prefixes(self) -> int:
        """Number of kept prefixes."""
        return len(self._prefixes)

    def admit(self, sequence: Sequence, slot: int, running: Iterable[Sequence]) -> bool:
        """Give a sequence the slot and its blocks, with what is kept of its prompt; or say no."""
        prefix = self._prefixes.find(sequence.tokens)
        shared = prefix.blocks[: prefix.length // BLOCK_TOKENS] if prefix and self._shares else ()
        needed = sequence.blocks_needed - len(shared)
        taken = set(shared).union(*(other.table.blocks for other in running))
        if needed > self._pool.size - len(taken):
            return False
        self._pool.hold(shared)
        while self._pool.free < needed and (gone := self._prefixes.evict(spare=prefix)):
            self._pool.release(gone.blocks)
        if self._pool.free < needed and prefix:  # what is copied of it is in the way
            return self._admit_without(sequence, slot, shared, running)
        own = self._pool.allocate(needed)
        sequence.table = BlockTable(shared + own)
        sequence.num_computed = 0
        self.cache.reset(slot)
        if prefix:
            for source, target in zip(prefix.blocks[len(shared) :], own, strict=False):
                self.cache.copy_block(source, target)
            self.cache.restore(slot, prefix.state)
            sequence.num_computed = prefix.length
        self._stats.count_prefix(prefix.length if prefix else 0)
        return True

    def _admit_without(
        self, sequence: Sequence, slot: int, shared: tuple[int, ...], running: Iterable[Sequence]
    ) -> bool:
        """Forget all prefixes, this one, too, and read the prompt anew."""
        self._pool.release(shared)
        while gone := self._prefixes.evict():
            self._pool.release(gone.blocks)
        return self.admit(sequence, slot, running)

    def keep(self, sequence: Sequence, slot: int) -> None:
        """Keep what the sequence has read so far for those who begin alike."""
        length = sequence.num_computed
        tokens = sequence.tokens[:length]
        if length < MIN_PREFIX or self._prefixes.holds(tokens):
            return
        while len(self._prefixes) >= self.cache.plan.snapshots and (gone := self._prefixes.evict()):
            self._pool.release(gone.blocks)
        blocks = sequence.table.blocks[: blocks_for(length)]
        self._pool.hold(blocks)
        self._prefixes.add(tokens, Prefix(length, blocks, self.cache.snapshot(slot)))

    def release(self, sequence: Sequence, *, tainted: bool = False) -> None:
        """Take back what a sequence holds; `tainted` if what it wrote may be no numbers."""
        if tainted:
            for prefix in self._prefixes.pop_all_of(sequence.tokens):
                self._pool.release(prefix.blocks)
        self._pool.release(sequence.table.blocks)
        sequence.table = BlockTable()
        sequence.num_computed = 0

    def forget(self) -> None:
        """Forget all kept prefixes."""
        while gone := self._prefixes.evict():
            self._pool.release(gone.blocks)
