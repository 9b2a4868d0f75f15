"""From the text of sampled tokens to the events of one generation; shared by the engines."""

import time
from collections.abc import Callable

from nano2_app.chat.events import (
    AnswerDelta,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    ReasoningEnd,
    ThinkingEnd,
    Timings,
    Usage,
)
from nano2_app.chat.reasoning import ReasoningSplitter, Split
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.chat.thinking_budget import ThinkingBudget
from nano2_app.engine.stats import EngineStats


class OutputProcessor:
    """Follows one generation: splits its text, counts its tokens, says when thinking must end.

    For every sampled token the engine calls `add`; if `forced_close` then returns text, the engine
    feeds it to the model as if the model had written it, and goes on. `finish` comes last.

    Args:
        params: of the request.
        prompt_tokens: length of the prompt, tokens.
        room: tokens that reasoning and answer may use together.
        stats: takes in when tokens come and how the generation ends.
        clock: seconds, monotonic; the request was asked for at its first reading.
    """

    def __init__(
        self,
        params: SamplingParams,
        *,
        prompt_tokens: int,
        room: int,
        stats: EngineStats,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._asked = clock()
        self._began: float | None = None
        self._first_token: float | None = None
        self._last_token = self._asked
        self._stats = stats
        self._prompt_tokens = prompt_tokens
        self._room = room
        self._splitter = ReasoningSplitter(thinking=params.thinking)
        self._answer_tokens = 0
        self._thinking_end: ThinkingEnd | None = None if params.thinking else ThinkingEnd.SKIPPED
        self._end_reported = False
        self.budget = ThinkingBudget(
            params.thinking_budget,
            grace=params.thinking_grace,
            limit=room - params.reserve(room),
        )

    @property
    def thinking(self) -> bool:
        """Whether the model is reasoning."""
        return self._splitter.thinking

    @property
    def began(self) -> bool:
        """Whether the prompt has been read."""
        return self._began is not None

    @property
    def full(self) -> bool:
        """Whether the room for reasoning and answer is used up."""
        return self._tokens >= self._room

    @property
    def _tokens(self) -> int:
        return self.budget.tokens + self._answer_tokens

    def begin(self) -> list[Event]:
        """The prompt has been read: time the thinking from here."""
        self._began = self._clock()
        self._stats.prompt_tokens += self._prompt_tokens
        return [] if self.thinking else self._report_end()

    def add(self, text: str) -> list[Event]:
        """Take in one sampled token, given the text it completed (which may be empty)."""
        self._time_token()
        was_thinking = self.thinking
        if was_thinking:
            self.budget.count(text)
        else:
            self._answer_tokens += 1
        return self._events(self._splitter.feed(text), was_thinking=was_thinking)

    def forced_close(self, *, stopped: bool = False) -> tuple[str, list[Event]] | None:
        """End the reasoning if it is due, or if the model `stopped` in the middle of it.

        Returns:
            The text that the engine has to feed to the model, and the events of the end; or None.
        """
        if not self.thinking:
            return None
        reason = self.budget.due or (ThinkingEnd.MODEL if stopped else None)
        if reason is None:
            return None
        self._thinking_end = reason
        text = self._splitter.forced_close()
        return text, self._events(self._splitter.feed(text, forced=True), was_thinking=True)

    def finish(self, reason: FinishReason) -> list[Event]:
        """End the generation."""
        if self.thinking and self._thinking_end is None:
            aborted = reason is FinishReason.ABORT
            self._thinking_end = ThinkingEnd.STOPPED if aborted else ThinkingEnd.MAX_TOKENS
        rest = self._splitter.flush()
        events = self._events(rest, was_thinking=False)
        self._stats.count_finished(reason)
        if not self._end_reported:
            events = [*events, *self._report_end()]
        return [*events, Finished(reason, self._usage(), self._timings())]

    def _time_token(self) -> None:
        now = self._clock()
        if self._first_token is None:
            self._first_token = now
            self._stats.count_first_token(now - self._asked)
        else:
            self._stats.count_next_token(now - self._last_token)
        self._last_token = now

    def _events(self, split: Split, *, was_thinking: bool) -> list[Event]:
        events: list[Event] = []
        if was_thinking or split.reasoning:
            delta = ReasoningDelta(split.reasoning, self.budget.tokens, self.budget.budget)
            events.append(delta)
        if was_thinking and not self.thinking:
            events += self._report_end()
        if split.answer:
            events.append(AnswerDelta(split.answer))
        return events

    def _report_end(self) -> list[Event]:
        self._end_reported = True
        began = self._clock() if self._began is None else self._began
        seconds = self._clock() - began if self.budget.tokens else 0.0
        reason = self._thinking_end or ThinkingEnd.MODEL
        return [ReasoningEnd(reason, self.budget.tokens, seconds)]

    def _usage(self) -> Usage:
        return Usage(self._prompt_tokens, self.budget.tokens, self._answer_tokens)

    def _timings(self) -> Timings:
        now = self._clock()
        if self._first_token is None:
            return Timings(None, now - self._asked, 0.0)
        decoding = now - self._first_token
        speed = (self._tokens - 1) / decoding if decoding > 0 and self._tokens > 1 else 0.0
        return Timings(self._first_token - self._asked, now - self._asked, speed)
