"""What fits, by arithmetic: no model is loaded."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nano2_app.engine.local.memory_plan import MemoryPlan, plan_memory
from nano2_app.engine.local.model_shape import ModelShape
from nano2_app.errors import ModelUnavailable

MIB, GIB = 2**20, 2**30
PATTERN = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"
KINDS = {"M": "linear_attention", "*": "full_attention", "-": "mlp"}


@pytest.fixture
def nano_9b() -> ModelShape:
    """The 9B's sizes, as its published configuration has them."""
    config = SimpleNamespace(
        layers_block_type=[KINDS[letter] for letter in PATTERN],
        hidden_size=4480,
        vocab_size=131072,
        num_attention_heads=40,
        num_key_value_heads=8,
        head_dim=128,
        mamba_num_heads=128,
        mamba_head_dim=80,
        n_groups=8,
        ssm_state_size=128,
        conv_kernel=4,
    )
    return ModelShape.from_config(config, dtype_bytes=2)


def test_the_9b_needs_what_its_sizes_say(nano_9b: ModelShape) -> None:
    assert nano_9b.kv_bytes_per_token == 16 * 1024
    assert nano_9b.state_bytes_per_sequence / MIB == pytest.approx(135 + 1.9, abs=0.1)


def test_the_9b_on_an_a10g_serves_eight_and_holds_its_whole_context(nano_9b: ModelShape) -> None:
    left = int((22.06 - 16.56 - 1.0) * GIB)
    plan = plan_memory(nano_9b, left, context_length=131072, max_slots=8)
    assert plan.slots == 8
    assert plan.tokens >= 131072
    assert plan.bytes(nano_9b) <= left


def test_fewer_slots_where_memory_is_short(nano_9b: ModelShape) -> None:
    plan = plan_memory(nano_9b, int(2.6 * GIB), context_length=131072, max_slots=8)
    assert 1 < plan.slots < 8
    assert plan.tokens >= 131072


def test_what_does_not_fit_at_all_is_refused_with_the_numbers(nano_9b: ModelShape) -> None:
    with pytest.raises(ModelUnavailable, match=r"0\.10 GiB .* needs 0\.20 GiB"):
        plan_memory(nano_9b, int(0.1 * GIB), context_length=131072, max_slots=8)


@given(budget=st.integers(2**28, 2**34), context=st.integers(512, 131072), slots=st.integers(1, 16))
def test_a_plan_keeps_to_its_budget(budget: int, context: int, slots: int) -> None:
    layers = ("linear_attention",) * 27 + ("full_attention",) * 4
    shape = ModelShape(layers, 4480, 131072, 40, 8, 128, 128, 80, 8, 128, 4, dtype_bytes=2)
    plan: MemoryPlan = plan_memory(shape, budget, context_length=context, max_slots=slots)
    assert plan.bytes(shape) <= budget
    assert 1 <= plan.slots <= slots
    assert plan.tokens >= min(context, 4096)
