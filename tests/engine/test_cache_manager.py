"""Who holds what of the cache, through any course of events."""

from types import SimpleNamespace
from typing import cast

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nano2_app.engine.local.block_pool import BlockTable
from nano2_app.engine.local.cache_manager import CacheManager
from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.memory_plan import BLOCK_TOKENS, MemoryPlan, blocks_for
from nano2_app.engine.local.model_shape import ModelShape
from nano2_app.engine.local.sequence import Sequence
from nano2_app.engine.stats import EngineStats

SHAPE = ModelShape(
    ("linear_attention", "full_attention"), 8, 16, 1, 1, 2, 1, 2, 1, 2, 2, dtype_bytes=4
)
PLAN = MemoryPlan(slots=3, blocks=12, snapshots=4)


def make_manager() -> CacheManager:
    cache = HybridCache(SHAPE, PLAN, dtype=torch.float32, device=torch.device("cpu"))
    return CacheManager(cache, EngineStats())


def sequence(tokens: list[int], room: int) -> Sequence:
    """Only what the manager looks at."""
    capacity = len(tokens) + room
    made = SimpleNamespace(
        tokens=tokens, table=BlockTable(), num_computed=0, blocks_needed=blocks_for(capacity)
    )
    return cast("Sequence", made)


actions = st.one_of(
    st.tuples(st.just("admit"), st.integers(0, 2), st.integers(1, 500), st.integers(0, 200)),
    st.tuples(st.just("keep"), st.integers(0, 2), st.integers(0, 10)),
    st.tuples(st.just("end"), st.integers(0, 2), st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(actions, max_size=40))
def test_blocks_are_neither_lost_nor_shared_where_they_are_written(
    course: list[tuple[object, ...]],
) -> None:
    manager = make_manager()
    running: dict[int, Sequence] = {}
    for action, slot, *rest in course:
        assert isinstance(slot, int)
        if action == "admit" and slot not in running:
            length, room = cast("tuple[int, int]", tuple(rest))
            new = sequence([7] * length, room)  # prompts that are prefixes of each other
            if manager.admit(new, slot, running.values()):
                assert new.num_computed < length
                running[slot] = new
            else:
                held = {block for other in running.values() for block in other.table.blocks}
                assert new.blocks_needed > PLAN.blocks - len(held)
        elif action == "keep" and slot in running:
            one = running[slot]
            one.num_computed = max(one.num_computed, len(one.tokens) - cast("int", rest[0]))
            manager.keep(one, slot)
        elif action == "end" and slot in running:
            manager.release(running.pop(slot), tainted=cast("bool", rest[0]))
        for one in running.values():  # what it will write is its own alone
            assert len(one.table) == one.blocks_needed
            own = set(one.table.blocks[one.num_computed // BLOCK_TOKENS :])
            for other in running.values():
                assert other is one or not own & set(other.table.blocks)
        assert manager.kept_prefixes <= PLAN.snapshots
    for one in running.values():
        manager.release(one)
    manager.forget()
    assert manager.used_tokens == 0
