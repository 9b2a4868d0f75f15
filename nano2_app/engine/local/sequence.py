"""One request inside the engine."""

import random
from dataclasses import dataclass, field

from nano2_app.chat.events import Prefill
from nano2_app.engine.base import EventStream, GenerationRequest
from nano2_app.engine.local.block_pool import BlockTable
from nano2_app.engine.local.memory_plan import blocks_for
from nano2_app.engine.local.tokenizer import Detokenizer
from nano2_app.engine.output_processor import OutputProcessor


@dataclass(eq=False)
class Sequence:
    """The tokens and output of one request, and what it holds of the cache.

    Attributes:
        tokens: all token ids: the prompt, then each that was sampled or forced.
        cuts: positions at which the prompt is always cut into pieces, ascending.
        marks: those of them at which its state is worth keeping.
        capacity: most tokens it may ever have.
        random: draws its samples; the same seed draws the same.
        num_computed: how many of its tokens the model has read.
        table: its blocks of keys and values, all that it will need; none while it waits.
        turn: the step at which its prompt was last read on.
        position: in the queue, as it was last told.
    """

    request: GenerationRequest
    tokens: list[int]
    cuts: tuple[int, ...]
    marks: tuple[int, ...]
    capacity: int
    output: OutputProcessor
    detokenizer: Detokenizer
    stream: EventStream
    random: random.Random
    num_computed: int = 0
    table: BlockTable = field(default_factory=BlockTable)
    turn: int = 0
    position: int = 0
    prompt_length: int = field(init=False)

    def __post_init__(self) -> None:
        self.prompt_length = len(self.tokens)

    @property
    def pending(self) -> int:
        """Number of tokens that the model has yet to read."""
        return len(self.tokens) - self.num_computed

    @property
    def blocks_needed(self) -> int:
        """Number of blocks that hold all it may ever have."""
        return blocks_for(self.capacity)

    def tell_progress(self) -> None:
        """Say how much of the prompt has been read; not when it is read again after a failure."""
        if not self.output.began:
            self.stream.put(Prefill(self.num_computed, self.prompt_length))

    @property
    def next_mark(self) -> int:
        """Where reading on has to pause, so that the state can be kept, or the end."""
        ahead = (mark for mark in self.marks if mark > self.num_computed)
        return min(ahead, default=len(self.tokens))
