"""From sampled text to events, with a clock in hand."""

from collections.abc import Iterator

from nano2_app.chat.events import (
    AnswerDelta,
    Finished,
    FinishReason,
    ReasoningDelta,
    ReasoningEnd,
    ThinkingEnd,
    Timings,
    Usage,
)
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.engine.output_processor import OutputProcessor
from nano2_app.engine.stats import EngineStats


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def each(self, items: list[str], seconds: float) -> Iterator[str]:
        for item in items:
            self.now += seconds
            yield item


def processor(clock: Clock, room: int = 100, **params: int | bool) -> OutputProcessor:
    return OutputProcessor(
        SamplingParams(**params),  # type: ignore[arg-type]
        prompt_tokens=9,
        room=room,
        stats=EngineStats(),
        clock=clock,
    )


def test_a_generation_from_the_prompt_to_the_end() -> None:
    clock = Clock()
    output = processor(clock)
    clock.now += 2
    events = output.begin()
    for text in clock.each(["Let", " me.\n", "</think>", "\n\nFour", "."], 0.5):
        events += output.add(text)
        assert output.forced_close() is None
    events += output.finish(FinishReason.STOP)
    assert events == [
        ReasoningDelta("Let", 1),
        ReasoningDelta(" me.", 2),
        ReasoningDelta("", 3),
        ReasoningEnd(ThinkingEnd.MODEL, 3, 1.5),
        AnswerDelta("Four"),
        AnswerDelta("."),
        Finished(FinishReason.STOP, Usage(9, 3, 2), Timings(2.5, 4.5, 2.0)),
    ]


def test_a_forced_close_ends_the_reasoning_and_names_the_reason() -> None:
    output = processor(Clock(), thinking_budget=2)
    output.begin()
    output.add("Hm")
    assert output.forced_close() is None
    output.add(".\n")
    forced = output.forced_close()
    assert forced is not None
    assert forced[0] == "\n</think>\n\n"
    assert forced[1] == [ReasoningDelta("", 2, 2), ReasoningEnd(ThinkingEnd.BUDGET, 2, 0.0)]
    assert output.forced_close() is None
    assert not output.thinking


def test_a_full_room_is_told() -> None:
    output = processor(Clock(), room=3, skip_reasoning=True)
    output.begin()
    output.add("a")
    output.add("b")
    assert not output.full
    output.add("c")
    assert output.full


def test_a_request_that_never_began_ends_as_stopped() -> None:
    events = processor(Clock()).finish(FinishReason.ABORT)
    assert events == [
        ReasoningEnd(ThinkingEnd.STOPPED, 0, 0.0),
        Finished(FinishReason.ABORT, Usage(9, 0, 0), Timings(None, 0.0, 0.0)),
    ]


def test_a_room_that_ends_within_the_reasoning_is_named() -> None:
    output = processor(Clock(), room=1)
    output.begin()
    output.add("Hm")
    ending = output.finish(FinishReason.LENGTH)[0]
    assert ending == ReasoningEnd(ThinkingEnd.MAX_TOKENS, 1, 0.0)


def test_what_was_held_as_a_possible_tag_comes_at_the_end() -> None:
    output = processor(Clock(), skip_reasoning=True)
    output.begin()
    assert output.add("a <") == [AnswerDelta("a")]
    assert output.finish(FinishReason.STOP)[0] == AnswerDelta(" <")
