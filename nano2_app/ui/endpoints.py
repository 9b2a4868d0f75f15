"""The public calls for `gradio_client`: a chat, its events, and steering by run id."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict, replace
from typing import Any

import gradio as gr
from gradio.events import api

from nano2_app.chat.events import (
    AnswerDelta,
    Event,
    Finished,
    Prefill,
    Queued,
    ReasoningDelta,
    ReasoningEnd,
)
from nano2_app.chat.scenarios import Scenarios
from nano2_app.chat.transcript import Transcript
from nano2_app.engine.base import Engine, GenerationRequest
from nano2_app.errors import NanoError
from nano2_app.ui.handlers import MODEL_SLOTS
from nano2_app.ui.presentation import sentence
from nano2_app.ui.runs import Run, Runs
from nano2_app.ui.status import status_json

_log = logging.getLogger(__name__)

_EVENT_TYPES = {
    Queued: "queued",
    Prefill: "prefill",
    ReasoningDelta: "reasoning",
    ReasoningEnd: "reasoning_end",
    AnswerDelta: "answer",
    Finished: "finished",
}


class Endpoints:
    """The calls. Their parameters are `Any` so that our checks, not Gradio's, name the mistake."""

    def __init__(self, runs: Runs, scenarios: Scenarios, engine: Engine) -> None:
        self._runs = runs
        self._scenarios = scenarios
        self._engine = engine

    def connect(self) -> None:
        """Publish the calls; nothing else of the app is public."""
        for generate in (self.chat, self.chat_events):
            api(generate, concurrency_id="model", concurrency_limit=MODEL_SLOTS)
        for answer in (self.answer_now, self.stop, self.set_thinking_budget, self.status):
            api(answer, queue=False)

    async def chat(
        self,
        message: Any,
        scenario: Any = "education",
        thinking_budget: Any = None,
        skip_reasoning: Any = False,
        history: Any = None,
        max_tokens: Any = None,
        temperature: Any = None,
        seed: Any = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Ask one question; each update holds all of the reasoning and the answer so far.

        `history` is a list of {"role", "content"}; what is left out is the scenario's. The last
        update has the phase "done".
        """
        with _errors_in_one_sentence():
            run = self._open(
                scenario,
                message,
                history,
                thinking_budget=thinking_budget,
                skip_reasoning=skip_reasoning,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
            )
            model, transcript = self._engine.status().model.name, Transcript()
            async with aclosing(run.batches()) as batches:
                async for batch in batches:
                    for event in batch:
                        transcript.add(event)
                    yield _snapshot(run, transcript) | {"model": model}

    async def chat_events(
        self,
        message: Any,
        scenario: Any = "education",
        thinking_budget: Any = None,
        skip_reasoning: Any = False,
        history: Any = None,
        max_tokens: Any = None,
        temperature: Any = None,
        seed: Any = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Ask one question; each update holds only what is new. For long reasoning.

        The updates have the "type" queued, prefill, reasoning, reasoning_end, answer or finished.
        """
        with _errors_in_one_sentence():
            run = self._open(
                scenario,
                message,
                history,
                thinking_budget=thinking_budget,
                skip_reasoning=skip_reasoning,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
            )
            last: dict[str, Any] = {"type": "queued", "run_id": run.id, "position": 0}
            async with aclosing(run.batches()) as batches:
                async for batch in batches:
                    for event in _joined(batch):
                        last = {"type": _EVENT_TYPES[type(event)], "run_id": run.id}
                        last |= asdict(event)
                        yield last
                    # Sent again, nothing new: it is how a client that has gone is noticed.
                    if not batch:
                        yield _without_text(last)

    async def answer_now(self, run_id: Any) -> dict[str, Any]:
        """End the reasoning of a run and begin its answer, in the same stream."""
        with _errors_in_one_sentence():
            self._runs.find(run_id).answer_now()
        return {"ok": True}

    async def stop(self, run_id: Any) -> dict[str, Any]:
        """Stop a run; its stream ends with what was said so far."""
        with _errors_in_one_sentence():
            self._runs.find(run_id).stop()
        return {"ok": True}

    async def set_thinking_budget(self, run_id: Any, thinking_budget: Any) -> dict[str, Any]:
        """Change the thinking budget of a run while it thinks."""
        with _errors_in_one_sentence():
            self._runs.find(run_id).set_thinking_budget(thinking_budget)
        return {"ok": True}

    async def status(self) -> dict[str, Any]:
        """Tell which model answers, how busy it is, and its figures since the start.

        The "p50" and "p95" of the waiting times are upper bounds, in seconds: those of the buckets
        that the times are counted in; None if nothing was counted, or more than the last bound.
        """
        with _errors_in_one_sentence():
            status = status_json(self._engine.status())
        return status | {"scenarios": [scenario.id for scenario in self._scenarios]}

    def _open(self, scenario_id: Any, message: Any, history: Any, **sampling: Any) -> Run:
        scenario = self._scenarios[scenario_id]
        messages = scenario.messages(message, history)
        return self._runs.open(GenerationRequest(messages, scenario.sampling_params(**sampling)))


def _snapshot(run: Run, transcript: Transcript) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "phase": transcript.phase,
        "position": transcript.position,
        "reasoning": transcript.reasoning,
        "reasoning_tokens": transcript.reasoning_tokens,
        "answer": transcript.answer,
        "thinking_end": transcript.thinking_end,
        "finish_reason": transcript.finish_reason,
        "usage": transcript.usage and asdict(transcript.usage),
        "timings": transcript.timings and asdict(transcript.timings),
        "seed": run.request.sampling_params.seed,
    }


def _joined(events: list[Event]) -> Iterator[Event]:
    """Join neighbouring deltas of one kind: one message per update, not one per token."""
    held: ReasoningDelta | AnswerDelta | None = None
    for event in events:
        match held, event:
            case ReasoningDelta(before), ReasoningDelta(text):
                held = replace(event, text=before + text)
            case AnswerDelta(before), AnswerDelta(text):
                held = replace(event, text=before + text)
            case _:
                if held is not None:
                    yield held
                held = event if isinstance(event, ReasoningDelta | AnswerDelta) else None
                if held is None:
                    yield event
    if held is not None:
        yield held


def _without_text(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"text": ""} if "text" in event else event


@contextmanager
def _errors_in_one_sentence() -> Iterator[None]:
    """Give the client one sentence; a traceback goes to the log, and only for our own failures."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  (a client gets a sentence, whatever failed)
        if not isinstance(error, NanoError):
            _log.exception("A call failed")
        raise gr.Error(sentence(error), print_exception=False) from None
