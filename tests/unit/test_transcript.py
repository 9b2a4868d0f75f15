"""The events of one generation, added up."""

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
from nano2_app.chat.transcript import Phase, Transcript


def test_each_event_moves_the_transcript_on() -> None:
    usage, timings = Usage(9, 2, 1), Timings(0.1, 1.0, 20.0)
    steps: list[tuple[Event, Phase]] = [
        (Queued(2), Phase.QUEUED),
        (Prefill(4, 9), Phase.PREFILL),
        (ReasoningDelta("Let me", 1), Phase.THINKING),
        (ReasoningDelta(" see", 2, 64), Phase.THINKING),
        (ReasoningEnd(ThinkingEnd.BUDGET, 2, 0.5), Phase.ANSWERING),
        (AnswerDelta("Fo"), Phase.ANSWERING),
        (AnswerDelta("ur"), Phase.ANSWERING),
        (Finished(FinishReason.STOP, usage, timings), Phase.DONE),
    ]
    transcript = Transcript()
    for event, phase in steps:
        transcript.add(event)
        assert transcript.phase is phase
        assert transcript.position == (2 if phase is Phase.QUEUED else 0)
    assert transcript == Transcript(
        phase=Phase.DONE,
        prefill=(4, 9),
        reasoning="Let me see",
        reasoning_tokens=2,
        thinking_budget=64,
        thinking_end=ThinkingEnd.BUDGET,
        thinking_seconds=0.5,
        answer="Four",
        finish_reason=FinishReason.STOP,
        usage=usage,
        timings=timings,
    )
