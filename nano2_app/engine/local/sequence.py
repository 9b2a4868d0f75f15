"""One request inside the engine."""

from dataclasses import dataclass, field

from nano2_app.engine.base import EventStream, GenerationRequest
from nano2_app.engine.local.model_runner import SequenceState
from nano2_app.engine.local.sampler import Sampler
from nano2_app.engine.local.tokenizer import Detokenizer
from nano2_app.engine.output_processor import OutputProcessor


@dataclass(eq=False)
class Sequence:
    """The tokens, state and output of one request.

    Attributes:
        pending: token ids that the model has yet to read: first the prompt, then each token that
            was sampled or forced.
        state: the model's memory of the tokens it has read; None before the first.
    """

    request: GenerationRequest
    prompt: list[int]
    output: OutputProcessor
    sampler: Sampler
    detokenizer: Detokenizer
    stream: EventStream
    pending: list[int] = field(init=False)
    state: SequenceState | None = None

    def __post_init__(self) -> None:
        self.pending = list(self.prompt)

    def take(self, count: int) -> list[int]:
        """Take up to `count` pending tokens for the model to read."""
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken
