"""The pace of the page: many events of the engine, few updates of the browser."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from nano2_app.chat.events import Event
from nano2_app.chat.transcript import Transcript
from nano2_app.engine.base import Engine, GenerationRequest

INTERVAL_S = 0.05
"""At most 20 updates a second: more than that and the browser is the bottleneck."""

_HEARTBEAT_BATCHES = 8


async def batches(engine: Engine, request: GenerationRequest) -> AsyncGenerator[list[Event], None]:
    """Stream a generation's events in batches, one per interval.

    During silence an empty batch comes about every 0.4 s: a page or client that has gone is only
    noticed when something is sent to it. Leaving the iterator aborts the generation.

    Raises (from the iterator):
        NanoError: what the engine raised, after the last batch.
    """
    collected: list[Event] = []
    reader = asyncio.create_task(_read(engine, request, collected))
    silent = 0
    try:
        while not reader.done():
            await asyncio.wait({reader}, timeout=INTERVAL_S)
            silent = 0 if collected else silent + 1
            if collected or silent == _HEARTBEAT_BATCHES:
                silent = 0
                yield _take(collected)
        if collected:
            yield _take(collected)
        await reader
    finally:
        reader.cancel()
        await asyncio.wait({reader})


async def transcripts(
    engine: Engine, request: GenerationRequest
) -> AsyncGenerator[Transcript, None]:
    """Stream the growing transcript (one object, updated in place), beginning with an empty one."""
    transcript = Transcript()
    yield transcript
    async with aclosing(batches(engine, request)) as stream:
        async for batch in stream:
            for event in batch:
                transcript.add(event)
            yield transcript


async def _read(engine: Engine, request: GenerationRequest, into: list[Event]) -> None:
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            into.append(event)  # noqa: PERF401  (read by others as they come)


def _take(collected: list[Event]) -> list[Event]:
    taken = collected.copy()
    collected.clear()
    return taken
