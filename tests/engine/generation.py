"""Run generations in tests, and wait for conditions instead of for time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from nano2_app.chat.events import Event
from nano2_app.chat.messages import user
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.chat.transcript import Transcript
from nano2_app.engine.base import Engine, GenerationRequest

EventT = TypeVar("EventT", bound=Event)


def request(text: str = "Hi", **params: Any) -> GenerationRequest:
    """Ask greedily, for at most 200 tokens unless told otherwise."""
    values = {"temperature": 0.0, "max_tokens": 200} | params
    return GenerationRequest((user(text),), SamplingParams(**values))


async def collect(engine: Engine, asked: GenerationRequest) -> list[Event]:
    """Run to the end."""
    return [event async for event in engine.generate(asked)]


async def transcribe(engine: Engine, asked: GenerationRequest) -> Transcript:
    """Run to the end and add up."""
    transcript = Transcript()
    async for event in engine.generate(asked):
        transcript.add(event)
    return transcript


async def wait_for(stream: AsyncIterator[Event], kind: type[EventT]) -> EventT:
    """Read a stream up to the first event of a kind."""
    async for event in stream:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"The stream ended without {kind.__name__}")


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition, or fail."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
