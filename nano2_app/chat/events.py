"""The events of one generation, in the order in which they come.

    Queued* Prefill* ReasoningDelta* ReasoningEnd AnswerDelta* Finished

`ReasoningEnd` always comes, once, before the first `AnswerDelta`: with reason `skipped` and no
tokens when there was no reasoning. `Finished` is always the last, unless the generation fails: then
the error is raised from the stream.
"""

from dataclasses import dataclass
from enum import StrEnum


class ThinkingEnd(StrEnum):
    """Why the reasoning ended."""

    MODEL = "model"
    BUDGET = "budget"
    USER = "user"
    MAX_TOKENS = "max_tokens"
    SKIPPED = "skipped"
    STOPPED = "stopped"


class FinishReason(StrEnum):
    """Why the generation ended."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the engine counted them; those it forced (the closing tag) are not among them."""

    prompt_tokens: int
    reasoning_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Times of one generation, from the moment it was asked for.

    Attributes:
        time_to_first_token_s: seconds until the first token was sampled; None if none was.
        total_s: seconds until the end.
        tokens_per_second: sampled tokens after the first, by the seconds they took; 0 if none.
    """

    time_to_first_token_s: float | None
    total_s: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; `position` 1 is next."""

    position: int


@dataclass(frozen=True, slots=True)
class Prefill:
    """The prompt is being read: `done` of `total` tokens."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More reasoning; `text` may be empty.

    `tokens` counts all reasoning tokens so far, `thinking_budget` is the budget now in force.
    """

    text: str
    tokens: int
    thinking_budget: int | None = None


@dataclass(frozen=True, slots=True)
class ReasoningEnd:
    """The reasoning is over after `tokens` tokens and `seconds` seconds."""

    reason: ThinkingEnd
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The generation is over."""

    finish_reason: FinishReason
    usage: Usage
    timings: Timings


Event = Queued | Prefill | ReasoningDelta | ReasoningEnd | AnswerDelta | Finished
