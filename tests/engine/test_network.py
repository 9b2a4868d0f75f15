"""The forward pass beside transformers' own, on the same weights."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, PreTrainedModel

from nano2_app.engine.local.batch import Batch, Span
from nano2_app.engine.local.block_pool import BlockTable
from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.memory_plan import MemoryPlan, blocks_for
from nano2_app.engine.local.network import Network

SLOTS = 3
CONTEXT = 256


class Slots:
    """A network with its cache, read by slot."""

    def __init__(self, network: Network) -> None:
        self.network = network
        per_slot = blocks_for(CONTEXT)
        plan = MemoryPlan(slots=SLOTS, blocks=SLOTS * per_slot, snapshots=0)
        self.cache = HybridCache(network.shape, plan, dtype=network.dtype, device=network.device)
        numbers = range(per_slot)
        self.tables = [  # in one piece, then interleaved, so that no two of a slot are neighbours
            BlockTable(tuple(numbers)),
            *(BlockTable(tuple(per_slot + slot + 2 * n for n in numbers)) for slot in range(2)),
        ]
        self.lengths = [0] * SLOTS

    def step(
        self, decode: list[int], chunk: tuple[int, list[int]] | None = None, *, padding: bool = True
    ) -> torch.Tensor:
        """Decode a token each in the first slots, and read a chunk in another."""
        slot, read = chunk or (0, [])
        tokens = [*decode, *read]
        tokens += [0] * (self.network.padding(len(tokens)) if padding else 0)
        batch = Batch(
            torch.tensor(tokens),
            [Span(self.tables[n], self.lengths[n], 1) for n in range(len(decode))],
            Span(self.tables[slot], self.lengths[slot], len(read)) if chunk else None,
            chunk_slot=slot,
            wants_logits=chunk is not None,
        )
        logits = self.network.forward(batch, self.cache)
        for n in range(len(decode)):
            self.lengths[n] += 1
        self.lengths[slot] += len(read)
        return logits


@pytest.fixture(scope="module")
def reference(model_dir: Path) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, time_step_min=0.0)
    return model.eval()


@pytest.fixture(scope="module")
def make_slots(model_dir: Path) -> Callable[[], Slots]:
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    network = Network(model.eval())
    return lambda: Slots(network)


def tokens(count: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(13, 269, (count,), generator=generator).tolist()


@torch.inference_mode()
def expected(reference: PreTrainedModel, text: list[int]) -> torch.Tensor:
    logits: torch.Tensor = reference(torch.tensor([text])).logits[0]
    return logits


def close(actual: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=2e-4)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 199), max_size=5))
def test_a_prompt_read_in_any_pieces_is_as_read_in_one(
    reference: PreTrainedModel, make_slots: Callable[[], Slots], cuts: list[int]
) -> None:
    text, slots = tokens(200), make_slots()
    wanted = expected(reference, text)
    for start, end in zip([0, *sorted(set(cuts))], [*sorted(set(cuts)), 200], strict=True):
        logits = slots.step([], (0, text[start:end]))
        close(logits[0], wanted[end - 1])


def test_decoding_token_by_token_is_as_reading_at_once(
    reference: PreTrainedModel, make_slots: Callable[[], Slots]
) -> None:
    text, slots = tokens(150), make_slots()
    wanted = expected(reference, text)
    for position, token in enumerate(text):
        close(slots.step([token])[0], wanted[position])


def test_sequences_of_a_batch_do_not_touch_each_other(
    reference: PreTrainedModel, make_slots: Callable[[], Slots]
) -> None:
    texts, slots = [tokens(200, seed) for seed in range(SLOTS)], make_slots()
    wanted = [expected(reference, text) for text in texts]
    slots.step([], (0, texts[0][:70]))
    slots.step([texts[0][70]], (1, texts[1][:3]))
    for piece in range(10):  # two decode while the third reads its prompt
        start = 11 * piece
        decode = [texts[0][71 + piece], texts[1][3 + piece]]
        logits = slots.step(decode, (2, texts[2][start : start + 11]))
        close(logits[0], wanted[0][71 + piece])
        close(logits[1], wanted[1][3 + piece])
        close(logits[2], wanted[2][start + 10])
    for position in range(20):
        decode = [text[at + position] for text, at in zip(texts, (81, 13, 110), strict=True)]
        logits = slots.step(decode)
        for slot, at in enumerate((81, 13, 110)):
            close(logits[slot], wanted[slot][at + position])


def test_a_slot_can_be_swapped_kept_and_restored(
    reference: PreTrainedModel, make_slots: Callable[[], Slots]
) -> None:
    text, slots = tokens(120), make_slots()
    wanted = expected(reference, text)
    slots.step([], (2, text[:100]))
    kept = slots.cache.snapshot(2)
    slots.step([], (2, tokens(30, seed=9)))
    slots.cache.reset(2)
    slots.cache.restore(2, kept)
    slots.cache.swap(2, 0)
    slots.tables.reverse()
    slots.lengths = [100, 0, 0]
    close(slots.step([], (0, text[100:]))[0], wanted[-1])


# To the last bit

PIECE = 8


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, 12), max_size=5))
def test_a_prompt_cut_at_ends_of_pieces_gives_the_same_bits(
    make_slots: Callable[[], Slots], cuts: set[int]
) -> None:
    text, whole, parts = tokens(200), make_slots(), make_slots()
    wanted = whole.step([], (0, text))
    places = [0, *(PIECE * cut for cut in sorted(cuts)), 200]
    for start, end in pairwise(places):
        logits = parts.step([], (0, text[start:end]))
    assert torch.equal(logits, wanted)
    assert torch.equal(parts.step([17]), whole.step([17]))


def test_company_in_a_batch_changes_no_bit(make_slots: Callable[[], Slots]) -> None:
    texts = [tokens(64, seed) for seed in range(SLOTS)]
    alone = []
    for text in texts:
        slots = make_slots()
        slots.step([], (0, text[:48]))
        alone.append([slots.step([token])[0] for token in text[48:]])
    slots = make_slots()
    slots.step([], (0, texts[0][:48]))
    slots.step([], (1, texts[1][:48]))
    for place in range(PIECE):
        decode = [text[48 + place] for text in texts[:2]]
        chunk = (2, texts[2][PIECE * place : PIECE * (place + 1)]) if place < 6 else None
        logits = slots.step(decode, chunk)
        for slot in range(2):
            assert torch.equal(logits[slot], alone[slot][place])
    slots.lengths[:2] = [0, 0]
    for place in range(PIECE):
        logits = slots.step([*(int(n) for n in tokens(2, place)), texts[2][48 + place]])
        assert torch.equal(logits[2], alone[2][place])
