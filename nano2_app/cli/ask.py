"""The `ask` command: one question, one streamed answer."""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

import typer

from nano2_app.chat.events import AnswerDelta, Event, ReasoningDelta, ReasoningEnd, ThinkingEnd
from nano2_app.chat.scenarios import load_scenarios
from nano2_app.chat.transcript import Transcript
from nano2_app.config import SCENARIOS_DIR, Settings
from nano2_app.engine.base import Engine, GenerationRequest
from nano2_app.engine.factory import create_engine
from nano2_app.errors import InvalidRequest


def ask_once(
    settings: Settings,
    prompt: str,
    *,
    scenario_id: str,
    sampling: Mapping[str, Any],
    as_json: bool,
) -> None:
    """Ask and print: streamed text, or one JSON object at the end.

    Raises:
        NanoError: the request, the model or the generation failed.
    """
    scenario = load_scenarios(SCENARIOS_DIR)[scenario_id]
    text = _read_stdin() if prompt == "-" else prompt
    request = GenerationRequest(scenario.messages(text), scenario.sampling_params(**sampling))
    engine = create_engine(settings)
    try:
        transcript = asyncio.run(_generate(engine, request, stream=not as_json))
        if as_json:
            typer.echo(_as_json(transcript, engine, request))
    finally:
        engine.close()


def _read_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"Standard input is not UTF-8 text (byte {error.start + 1}); convert it and try again."
        ) from None


async def _generate(engine: Engine, request: GenerationRequest, *, stream: bool) -> Transcript:
    transcript = Transcript()
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            transcript.add(event)
            if stream:
                _print(event)
    if stream:
        typer.echo()
    return transcript


def _print(event: Event) -> None:
    match event:
        case ReasoningDelta(text):
            typer.secho(text, dim=True, err=True, nl=False)
        case ReasoningEnd(reason, tokens, seconds) if reason is not ThinkingEnd.SKIPPED:
            ending = f"\n[{tokens} tokens of reasoning in {seconds:.1f} s; ended by: {reason}]\n"
            typer.secho(ending, dim=True, err=True)
        case AnswerDelta(text):
            typer.echo(text, nl=False)


def _as_json(transcript: Transcript, engine: Engine, request: GenerationRequest) -> str:
    assert transcript.usage is not None  # noqa: S101
    assert transcript.timings is not None  # noqa: S101
    return json.dumps(
        {
            "reasoning": transcript.reasoning,
            "answer": transcript.answer,
            "thinking_end": transcript.thinking_end,
            "finish_reason": transcript.finish_reason,
            "usage": asdict(transcript.usage),
            "timings": asdict(transcript.timings),
            "model": engine.status().model.name,
            "seed": request.sampling_params.seed,
        },
        ensure_ascii=False,
    )
