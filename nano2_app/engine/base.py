"""What every engine promises to the faces in front of it."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from nano2_app.chat.events import Event
from nano2_app.chat.messages import Message
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.engine.stats import EngineStats
from nano2_app.errors import NanoError


def _new_request_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One answer to be generated. `request_id` names it to those who steer it while it runs."""

    messages: tuple[Message, ...]
    sampling_params: SamplingParams
    request_id: str = field(default_factory=_new_request_id)


class ModelKind(StrEnum):
    """What answers, so that no one is left to believe otherwise."""

    NANO_9B = "nano-9b"
    EMBEDDED = "embedded"
    OTHER = "other"
    SCRIPTED = "scripted"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The plain truth about what answers.

    Attributes:
        name: short name, such as "nano2-tiny".
        kind: which of the known sorts it is.
        description: one sentence for people.
        context_length: tokens of prompt, reasoning and answer together.
        max_thinking_budget: largest budget that makes sense with this model, tokens.
        parameters: number of weights, if there are any.
        device: where it runs, such as "cpu" or a GPU's name.
        dtype: of the weights, such as "bfloat16".
    """

    name: str
    kind: ModelKind
    description: str
    context_length: int
    max_thinking_budget: int
    parameters: int | None = None
    device: str | None = None
    dtype: str | None = None


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How full an engine's memory of conversations is.

    Attributes:
        used_tokens: tokens whose room is taken, by running requests and by kept prefixes.
        total_tokens: tokens that fit.
        prefixes: beginnings of prompts that are kept.
    """

    used_tokens: int
    total_tokens: int
    prefixes: int


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """A look at the engine: what answers, how busy it is, and its figures so far.

    Attributes:
        ready: whether it takes requests.
        slots: requests that can run at a time.
        cache: None where the engine has no say over it.
    """

    model: ModelCard
    ready: bool
    running: int
    waiting: int
    slots: int
    stats: EngineStats
    cache: CacheUse | None = None


class Engine(Protocol):
    """Generates answers for many requests at a time; safe to call from any event loop or thread."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the events of one generation (see `chat.events` for their order).

        Leaving the iterator early (`aclose`, cancellation) aborts the generation and frees what it
        held.

        Raises (from the iterator):
            InvalidRequest, ContextTooLong, Busy: before any work.
            EngineClosed, GenerationFailed: at any point.
        """
        ...

    def end_thinking(self, request_id: str) -> None:
        """End the reasoning at the next token and begin the answer, in the same stream.

        Without effect if the answer has begun.

        Raises:
            UnknownRequest: no such request runs or waits.
        """
        ...

    def set_thinking_budget(self, request_id: str, thinking_budget: int | None) -> None:
        """Change the budget; it applies from the next token on. Without effect in the answer.

        Raises:
            UnknownRequest: no such request runs or waits.
            InvalidRequest: the budget is unusable.
        """
        ...

    def abort(self, request_id: str) -> None:
        """Stop a request, running or waiting: its stream ends with `Finished(abort)`.

        Raises:
            UnknownRequest: no such request runs or waits.
        """
        ...

    def status(self) -> EngineStatus:
        """Tell what answers and how busy it is."""
        ...

    def close(self) -> None:
        """End all requests with EngineClosed and free everything. Closing twice is allowed."""
        ...


class EventStream:
    """Carries the events of one request from any thread to the event loop that reads them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[Event, ...] | NanoError | None] = asyncio.Queue()

    def put(self, *events: Event) -> None:
        """Send events; dropped if the reader's loop is gone."""
        if events:
            self._send(events)

    def end(self, error: NanoError | None = None) -> None:
        """End the stream, with an error for the reader or without."""
        self._send(error)

    def _send(self, item: tuple[Event, ...] | NanoError | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:  # the loop is closed: no one reads any more
            return

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (item := await self._queue.get()) is not None:
            if isinstance(item, NanoError):
                raise item
            for event in item:
                yield event
