"""What a generation has come to so far: its events, added up."""

from dataclasses import dataclass
from enum import StrEnum

from nano2_app.chat.events import (
    AnswerDelta,
    Event,
    Finished,
    FinishReason,
    Prefill,
    Queued,
    ReasoningDelta,
    ReasoningEnd,
    ThinkingEnd,
    Timings,
    Usage,
)


class Phase(StrEnum):
    """Where a generation stands."""

    QUEUED = "queued"
    PREFILL = "prefill"
    THINKING = "thinking"
    ANSWERING = "answering"
    DONE = "done"


@dataclass(slots=True)
class Transcript:
    """The sum of the events of one generation; the same for every face of the app.

    Attributes:
        phase: where it stands.
        position: place in the queue while it waits, 1 is next; 0 else.
        prefill: tokens of the prompt read, and all of them.
        reasoning: trace so far.
        reasoning_tokens: tokens of the trace so far.
        thinking_budget: budget in force while it thinks, tokens; None for none.
        thinking_end: why the trace ended, once it has.
        thinking_seconds: how long it took, once it has ended.
        answer: answer so far.
        finish_reason: why the generation ended, once it has.
        usage: token counts, once it has ended.
        timings: times, once it has ended.
    """

    phase: Phase = Phase.QUEUED
    position: int = 0
    prefill: tuple[int, int] = (0, 0)
    reasoning: str = ""
    reasoning_tokens: int = 0
    thinking_budget: int | None = None
    thinking_end: ThinkingEnd | None = None
    thinking_seconds: float = 0.0
    answer: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    timings: Timings | None = None

    def add(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case Queued(position):
                self.position = position
            case Prefill(done, total):
                self.phase, self.position, self.prefill = Phase.PREFILL, 0, (done, total)
            case ReasoningDelta(text, tokens, thinking_budget):
                self.phase, self.thinking_budget = Phase.THINKING, thinking_budget
                self.reasoning += text
                self.reasoning_tokens = tokens
            case ReasoningEnd(reason, tokens, seconds):
                self.phase, self.thinking_end = Phase.ANSWERING, reason
                self.reasoning_tokens, self.thinking_seconds = tokens, seconds
            case AnswerDelta(text):
                self.answer += text
            case Finished(finish_reason, usage, timings):  # pragma: no branch
                self.phase, self.finish_reason = Phase.DONE, finish_reason
                self.usage, self.timings = usage, timings
