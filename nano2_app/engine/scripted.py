"""An engine that plays a script: the whole app runs on it without a model.

For work on the interface and for its tests: the same contract as every other engine, deterministic
text, an adjustable pace.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from nano2_app.chat.events import Event, FinishReason, Prefill, Queued
from nano2_app.chat.reasoning import THINK_CLOSE
from nano2_app.chat.template import render_prompt
from nano2_app.engine.admission import check_length, room_for
from nano2_app.engine.base import EngineStatus, GenerationRequest, ModelCard, ModelKind
from nano2_app.engine.output_processor import OutputProcessor
from nano2_app.engine.stats import EngineStats
from nano2_app.errors import Busy, EngineClosed, UnknownRequest

_TOKEN = re.compile(r"\n|[^\S\n]*[^\s<>/]+|[^\S\n]*[<>/]+|[^\S\n]+")
_POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class Script:
    """What the engine "thinks" and answers; words and line breaks are its tokens.

    Attributes:
        reasoning: the trace.
        answer: the answer.
        after_forced_close: what it writes when its trace was closed for it, before the answer:
            plays a model that goes on thinking.
    """

    reasoning: str
    answer: str
    after_forced_close: str = ""


def default_script(request: GenerationRequest) -> Script:
    """Play a short trace and an answer that quotes the question."""
    question = request.messages[-1].content.strip().splitlines()[0][:80]
    steps = "\n".join(f"Step {n}: looking at part {n} of the question." for n in range(1, 9))
    return Script(
        reasoning=f"The question is: {question}\n{steps}\nThat is enough to answer.",
        answer=f"This is a scripted answer to “{question}”. No model is running.",
    )


@dataclass
class _Run:
    request: GenerationRequest
    output: OutputProcessor
    prompt_tokens: int
    aborted: bool = False


@dataclass
class ScriptedEngine:
    """Plays `script` for every request, `max_running` at a time, others waiting in order.

    Args:
        script: request -> what to play.
        token_delay_s: pause after each token, seconds.
        max_running: requests played at the same time.
        max_waiting: requests that may wait; more are refused as Busy.
        context_length: tokens, as the script counts them.
    """

    script: Callable[[GenerationRequest], Script] = default_script
    token_delay_s: float = 0.02
    max_running: int = 4
    max_waiting: int = 64
    context_length: int = 8192
    _runs: dict[str, _Run] = field(default_factory=dict)
    _stats: EngineStats = field(default_factory=EngineStats)
    _closed: bool = False

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the events of one generation."""
        run = self._admit(request)
        try:
            async for event in self._wait_for_turn(run):
                yield event
            async for event in self._play(run):
                yield event
        finally:
            self._runs.pop(request.request_id, None)

    def end_thinking(self, request_id: str) -> None:
        """End the reasoning at the next token."""
        self._find(request_id).output.budget.end()

    def set_thinking_budget(self, request_id: str, thinking_budget: int | None) -> None:
        """Change the budget from the next token on."""
        self._find(request_id).output.budget.change(thinking_budget)

    def abort(self, request_id: str) -> None:
        """Stop a request."""
        self._find(request_id).aborted = True

    def status(self) -> EngineStatus:
        """Tell that nothing but a script answers."""
        card = ModelCard(
            name="scripted",
            kind=ModelKind.SCRIPTED,
            description="No model: a fixed script plays, for work on the interface.",
            context_length=self.context_length,
            max_thinking_budget=self.context_length // 4,
        )
        running = min(len(self._runs), self.max_running)
        return EngineStatus(
            model=card,
            ready=not self._closed,
            running=running,
            waiting=len(self._runs) - running,
            slots=self.max_running,
            stats=self._stats,
        )

    def close(self) -> None:
        """End all requests."""
        self._closed = True

    def _admit(self, request: GenerationRequest) -> _Run:
        if self._closed:
            raise EngineClosed("The engine is closed.")
        check_length(request.messages, self.context_length)
        params = request.sampling_params
        prompt = render_prompt(request.messages, thinking=params.thinking)
        prompt_tokens = sum(len(_tokens(segment.text)) for segment in prompt)
        room = room_for(prompt_tokens, params, self.context_length)
        if len(self._runs) >= self.max_running + self.max_waiting:
            raise Busy("Too many people are waiting; try again in a moment.")
        output = OutputProcessor(params, prompt_tokens=prompt_tokens, room=room, stats=self._stats)
        run = self._runs[request.request_id] = _Run(request, output, prompt_tokens)
        return run

    async def _wait_for_turn(self, run: _Run) -> AsyncIterator[Event]:
        told = 0
        while not run.aborted and (position := self._position(run)) > 0:
            if position != told:
                told = position
                yield Queued(position)
            await self._pause(_POLL_S)

    async def _play(self, run: _Run) -> AsyncIterator[Event]:
        output, script = run.output, self.script(run.request)
        if not run.aborted:
            yield Prefill(run.prompt_tokens, run.prompt_tokens)
            for event in output.begin():
                yield event
        tokens = self._model_tokens(script, thinking=output.thinking)
        while (reason := self._ended(run)) is None:
            if forced := output.forced_close():
                tokens = iter(_tokens(script.after_forced_close + script.answer))
                events = forced[1]
            elif (token := next(tokens, None)) is None:
                break
            else:
                await self._pause(self.token_delay_s)
                events = output.add(token)
            for event in events:
                yield event
        for event in output.finish(reason or FinishReason.STOP):
            yield event

    def _ended(self, run: _Run) -> FinishReason | None:
        if run.aborted:
            return FinishReason.ABORT
        return FinishReason.LENGTH if run.output.full else None

    def _model_tokens(self, script: Script, *, thinking: bool) -> Iterator[str]:
        before = f"{script.reasoning}\n{THINK_CLOSE}\n\n" if thinking else ""
        return iter(_tokens(before + script.answer))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self._closed:
            raise EngineClosed("The engine was closed while it answered.")

    def _position(self, run: _Run) -> int:
        return list(self._runs.values()).index(run) - self.max_running + 1

    def _find(self, request_id: str) -> _Run:
        if request_id not in self._runs:
            raise UnknownRequest("That answer is finished, or was never asked for.")
        return self._runs[request_id]


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)
