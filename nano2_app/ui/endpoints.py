"""What `gradio_client` can call: the same requests as the page makes, as plain JSON."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from itertools import groupby
from typing import Any

import gradio as gr

from nano2_app.chat.events import (
    AnswerDelta,
    Event,
    Finished,
    Prefill,
    Queued,
    ReasoningDelta,
    ReasoningEnd,
)
from nano2_app.chat.sampling_params import check_thinking_budget
from nano2_app.chat.scenarios import Scenarios
from nano2_app.chat.transcript import Transcript
from nano2_app.engine.base import Engine, GenerationRequest
from nano2_app.ui.failures import explain
from nano2_app.ui.streaming import batches, transcripts

_EVENT_TYPES: dict[type[Event], str] = {
    Queued: "queued",
    Prefill: "prefill",
    ReasoningDelta: "reasoning",
    ReasoningEnd: "reasoning_end",
    AnswerDelta: "answer",
    Finished: "finished",
}


class Endpoints:
    """The public calls, bound to one engine."""

    def __init__(self, engine: Engine, scenarios: Scenarios) -> None:
        self._engine = engine
        self._scenarios = scenarios

    async def chat(
        self,
        message: str,
        scenario: str = "education",
        thinking_budget: int | None = None,
        skip_reasoning: bool = False,
        history: list[dict[str, str]] | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Answer a message; yields the whole state so far, at most 20 times a second."""
        with _clear_errors():
            request = self._request(
                message,
                scenario,
                history,
                thinking_budget=thinking_budget,
                skip_reasoning=skip_reasoning,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
            )
            async with aclosing(transcripts(self._engine, request)) as stream:
                async for transcript in stream:
                    yield self._state(request, transcript)

    async def chat_events(
        self,
        message: str,
        scenario: str = "education",
        thinking_budget: int | None = None,
        skip_reasoning: bool = False,
        history: list[dict[str, str]] | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Answer a message; yields what is new: deltas of text, and each step on the way."""
        with _clear_errors():
            request = self._request(
                message,
                scenario,
                history,
                thinking_budget=thinking_budget,
                skip_reasoning=skip_reasoning,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
            )
            yield {"type": "started", "run_id": request.request_id}
            async with aclosing(batches(self._engine, request)) as stream:
                async for batch in stream:
                    if not batch:
                        yield {"type": "waiting", "run_id": request.request_id}
                    for event in _merged(batch):
                        yield {"run_id": request.request_id, **_as_dict(event)}

    async def answer_now(self, run_id: str) -> dict[str, bool]:
        """End the thinking of a running call; its answer begins at once, in the same stream."""
        with _clear_errors():
            self._engine.end_thinking(run_id)
        return {"ok": True}

    async def stop(self, run_id: str) -> dict[str, bool]:
        """Stop a running call; its stream ends with what was said."""
        with _clear_errors():
            self._engine.abort(run_id)
        return {"ok": True}

    async def set_thinking_budget(
        self, run_id: str, thinking_budget: int | None = None
    ) -> dict[str, bool]:
        """Change the thinking budget of a running call; None lets the model decide."""
        with _clear_errors():
            self._engine.set_thinking_budget(run_id, check_thinking_budget(thinking_budget))
        return {"ok": True}

    async def status(self) -> dict[str, Any]:
        """Tell which model answers, and how many calls run and wait."""
        return asdict(self._engine.status())

    def register(self, concurrency_limit: int) -> None:
        """Publish the calls in the Blocks that is being built."""
        for call in (self.chat, self.chat_events):
            _publish(call, concurrency_id="model", concurrency_limit=concurrency_limit)
        for steer in (self.answer_now, self.stop, self.set_thinking_budget, self.status):
            _publish(steer, queue=False)

    def _request(
        self, message: object, scenario_id: object, history: object, **sampling: object
    ) -> GenerationRequest:
        scenario = self._scenarios[scenario_id]
        params = scenario.sampling_params(**sampling)
        return GenerationRequest(scenario.messages(message, history), params)

    def _state(self, request: GenerationRequest, transcript: Transcript) -> dict[str, Any]:
        return {
            "run_id": request.request_id,
            "phase": transcript.phase,
            "position": transcript.position,
            "reasoning": transcript.reasoning,
            "reasoning_tokens": transcript.reasoning_tokens,
            "answer": transcript.answer,
            "thinking_end": transcript.thinking_end,
            "finish_reason": transcript.finish_reason,
            "usage": transcript.usage and asdict(transcript.usage),
            "timings": transcript.timings and asdict(transcript.timings),
            "model": self._engine.status().model.name,
            "seed": request.sampling_params.seed,
        }


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Send the caller one sentence, whatever went wrong."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  (explained to the caller, logged if ours)
        raise gr.Error(explain(error), print_exception=False) from None


def _publish(call: Callable[..., Any], **options: Any) -> None:
    description = (call.__doc__ or "").strip()
    gr.events.api(call, api_name=call.__name__, api_description=description, **options)


def _merged(batch: list[Event]) -> Iterator[Event]:
    """Join the text deltas that came together, and keep the last of each run of progress."""
    for kind, run in groupby(batch, key=type):
        events = list(run)
        text = "".join(getattr(event, "text", "") for event in events)
        if kind is AnswerDelta:
            yield AnswerDelta(text)
        elif kind is ReasoningDelta:
            yield ReasoningDelta(text, getattr(events[-1], "tokens", 0))
        else:
            yield events[-1]


def _as_dict(event: Event) -> dict[str, Any]:
    return {"type": _EVENT_TYPES[type(event)], **asdict(event)}
