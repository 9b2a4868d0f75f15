"""The shared model worker: one thread owns the model, requests come in and events go out."""

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Collection
from functools import partial

from nano2_app.chat.events import Event, FinishReason, Prefill
from nano2_app.chat.sampling_params import check_thinking_budget
from nano2_app.chat.template import render_prompt
from nano2_app.engine.admission import check_length, room_for
from nano2_app.engine.base import EngineStatus, EventStream, GenerationRequest, ModelCard
from nano2_app.engine.local.model_runner import ModelRunner
from nano2_app.engine.local.sampler import Sampler
from nano2_app.engine.local.scheduler import Scheduler
from nano2_app.engine.local.sequence import Sequence
from nano2_app.engine.local.tokenizer import PromptTokenizer
from nano2_app.engine.output_processor import OutputProcessor
from nano2_app.errors import (
    Busy,
    EngineClosed,
    GenerationFailed,
    InvalidRequest,
    NanoError,
    UnknownRequest,
)

_log = logging.getLogger(__name__)

PREFILL_CHUNK = 512
"""Prompt tokens read per step: bounds the memory of a step, and how late a stop is noticed."""


class LocalEngine:
    """Serves a model in this process; see `Engine` for the contract.

    Other threads only put commands into the inbox; everything else happens on the engine's thread,
    between two steps.

    Args:
        runner: the model.
        tokenizer: of the model.
        card: what it is.
        stop_ids: tokens that end an answer.
        max_waiting: requests that may wait; more are refused as Busy.
    """

    def __init__(
        self,
        runner: ModelRunner,
        tokenizer: PromptTokenizer,
        card: ModelCard,
        *,
        stop_ids: Collection[int],
        max_waiting: int = 64,
    ) -> None:
        self._runner = runner
        self._tokenizer = tokenizer
        self._card = card
        self._stop_ids = frozenset(stop_ids)
        self._max_waiting = max_waiting
        self._scheduler = Scheduler()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._sequences: dict[str, Sequence] = {}  # admitted and not ended; guarded by the lock
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the events of one generation."""
        # A long prompt takes a while to encode; the event loop serves others meanwhile.
        prompt = await asyncio.to_thread(self._encode, request)
        sequence = self._admit(request, prompt)
        try:
            async for event in sequence.stream:
                yield event
        finally:
            self._inbox.put(partial(self._abort, sequence))

    def end_thinking(self, request_id: str) -> None:
        """End the reasoning at the next token."""
        self._inbox.put(self._find(request_id).output.budget.end)

    def set_thinking_budget(self, request_id: str, thinking_budget: int | None) -> None:
        """Change the budget from the next token on."""
        budget = check_thinking_budget(thinking_budget)
        self._inbox.put(partial(self._find(request_id).output.budget.change, budget))

    def abort(self, request_id: str) -> None:
        """Stop a request."""
        self._inbox.put(partial(self._abort, self._find(request_id)))

    def status(self) -> EngineStatus:
        """Tell what answers and how busy it is."""
        with self._lock:
            admitted = len(self._sequences)
        running = min(admitted, 1)
        return EngineStatus(self._card, running, admitted - running)

    def close(self) -> None:
        """End all requests and the thread."""
        with self._lock:
            self._closed = True
        self._inbox.put(lambda: None)
        self._thread.join()

    def _encode(self, request: GenerationRequest) -> list[int]:
        check_length(request.messages, self._card.context_length)
        thinking = request.sampling_params.thinking
        return self._tokenizer.encode_prompt(render_prompt(request.messages, thinking=thinking))

    def _admit(self, request: GenerationRequest, prompt: list[int]) -> Sequence:
        """Turn a request into a waiting sequence, or refuse it."""
        params = request.sampling_params
        room = room_for(len(prompt), params, self._card.context_length)
        sequence = Sequence(
            request=request,
            prompt=prompt,
            output=OutputProcessor(params, prompt_tokens=len(prompt), room=room),
            sampler=Sampler(params),
            detokenizer=self._tokenizer.detokenizer(),
            stream=EventStream(),
        )
        with self._lock:
            if self._closed:
                raise EngineClosed("The model worker is closed; start the app again.")
            if len(self._sequences) > self._max_waiting:
                raise Busy("Too many people are waiting for the model; try again in a moment.")
            if request.request_id in self._sequences:
                raise InvalidRequest("Another running request has this id; use a new one.")
            self._sequences[request.request_id] = sequence
            self._inbox.put(partial(self._scheduler.add, sequence))
        return sequence

    def _find(self, request_id: str) -> Sequence:
        with self._lock:
            sequence = self._sequences.get(request_id)
        if sequence is None:
            raise UnknownRequest("That answer is finished, or was never asked for.")
        return sequence

    # What follows runs on the engine's thread.

    def _run(self) -> None:
        while not self._closed:
            self._obey(wait=not self._scheduler.busy)
            if sequence := self._scheduler.schedule():
                self._try_step(sequence)
        with self._lock:
            left = list(self._sequences.values())
        for sequence in left:
            self._end(sequence, EngineClosed("The model worker was closed while it answered."))

    def _obey(self, *, wait: bool = False) -> None:
        """Carry out the commands that have come in, waiting for the first if asked to."""
        try:
            self._inbox.get(block=wait)()
            while True:
                self._inbox.get_nowait()()
        except queue.Empty:
            return

    def _try_step(self, sequence: Sequence) -> None:
        try:
            self._step(sequence)
        except NanoError as error:
            self._end(sequence, error)
        except Exception:  # noqa: BLE001  (any failure ends this request only)
            _log.exception("A generation failed")
            self._end(sequence, GenerationFailed("The model failed on this request; try again."))

    def _step(self, sequence: Sequence) -> None:
        """Read pending tokens; at their end, sample the next one and tell what it means."""
        output, stream = sequence.output, sequence.stream
        if sequence.state is None:
            sequence.state = self._runner.new_state()
            stream.put(Prefill(0, len(sequence.prompt)))
        if not output.began and len(sequence.pending) <= PREFILL_CHUNK:
            stream.put(*output.begin())
        if output.began and (forced := output.forced_close()):
            self._force(sequence, *forced)
        logits = self._runner.forward(sequence.take(PREFILL_CHUNK), sequence.state)
        if not output.began:
            unread = len(sequence.pending)
            stream.put(Prefill(len(sequence.prompt) - unread, len(sequence.prompt)))
            return
        token = sequence.sampler.sample(logits)
        if token in self._stop_ids:
            self._stop(sequence)
            return
        sequence.pending.append(token)
        stream.put(*output.add(sequence.detokenizer.add(token)))
        if output.full:
            self._finish(sequence, FinishReason.LENGTH)

    def _stop(self, sequence: Sequence) -> None:
        """The model ended its text; if it did so while thinking, it still owes the answer."""
        if forced := sequence.output.forced_close(stopped=True):
            self._force(sequence, *forced)
        else:
            self._finish(sequence, FinishReason.STOP)

    def _force(self, sequence: Sequence, text: str, events: list[Event]) -> None:
        """Feed text to the model as if it had written it."""
        sequence.pending += self._tokenizer.encode(text)
        sequence.detokenizer.reset()
        sequence.stream.put(*events)

    def _abort(self, sequence: Sequence) -> None:
        if self._sequences.get(sequence.request.request_id) is sequence:
            self._finish(sequence, FinishReason.ABORT)

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        sequence.stream.put(*sequence.output.finish(reason))
        self._end(sequence)

    def _end(self, sequence: Sequence, error: NanoError | None = None) -> None:
        self._scheduler.remove(sequence)
        sequence.state = None
        with self._lock:
            self._sequences.pop(sequence.request.request_id, None)
        sequence.stream.end(error)
