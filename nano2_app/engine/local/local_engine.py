"""The shared model worker: one thread owns the model, requests come in and events go out."""

import asyncio
import logging
import queue
import random
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial

import torch

from nano2_app.chat.events import Event, FinishReason
from nano2_app.chat.sampling_params import check_thinking_budget
from nano2_app.chat.template import render_prompt
from nano2_app.engine.admission import CLOSE_TOKENS, check_length, room_for
from nano2_app.engine.base import CacheUse, EngineStatus, EventStream, GenerationRequest, ModelCard
from nano2_app.engine.local.cache_manager import CacheManager
from nano2_app.engine.local.model_runner import ModelRunner
from nano2_app.engine.local.sampler import Sampler
from nano2_app.engine.local.scheduler import Scheduler, Step
from nano2_app.engine.local.sequence import Sequence
from nano2_app.engine.local.tokenizer import EncodedPrompt, PromptTokenizer
from nano2_app.engine.output_processor import OutputProcessor
from nano2_app.engine.stats import EngineStats
from nano2_app.errors import (
    Busy,
    EngineClosed,
    GenerationFailed,
    InvalidRequest,
    NanoError,
    UnknownRequest,
)

_log = logging.getLogger(__name__)


class LocalEngine:
    """Serves a model in this process to many at a time; see `Engine` for the contract.

    Other threads only put commands into the inbox; everything else happens on the engine's thread,
    between two steps.

    Args:
        runner: the model and its memory.
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
        self._stats = EngineStats()
        self._memory = CacheManager(runner.cache, self._stats)
        self._scheduler = Scheduler(self._memory, runner.piece_tokens)
        self._sampler = Sampler()
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
        """Tell what answers, how busy it is, and its figures."""
        with self._lock:
            admitted = len(self._sequences)
        running = min(admitted, len(self._scheduler.running))
        memory = self._memory
        return EngineStatus(
            model=self._card,
            ready=not self._closed,
            running=running,
            waiting=admitted - running,
            slots=memory.slots,
            stats=self._stats,
            cache=CacheUse(memory.used_tokens, memory.capacity, memory.kept_prefixes),
        )

    def close(self) -> None:
        """End all requests and the thread."""
        with self._lock:
            self._closed = True
        self._inbox.put(lambda: None)
        self._thread.join()

    def _encode(self, request: GenerationRequest) -> EncodedPrompt:
        check_length(request.messages, self._card.context_length)
        thinking = request.sampling_params.thinking
        return self._tokenizer.encode_prompt(render_prompt(request.messages, thinking=thinking))

    def _admit(self, request: GenerationRequest, prompt: EncodedPrompt) -> Sequence:
        """Turn a request into a waiting sequence, or refuse it."""
        params, length = request.sampling_params, len(prompt.tokens)
        room = room_for(length, params, min(self._card.context_length, self._memory.capacity))
        sequence = Sequence(
            request=request,
            tokens=prompt.tokens,
            cuts=prompt.turns,
            marks=prompt.marks,
            capacity=length + room + CLOSE_TOKENS,
            output=OutputProcessor(params, prompt_tokens=length, room=room, stats=self._stats),
            detokenizer=self._tokenizer.detokenizer(),
            stream=EventStream(),
            random=random.Random(params.seed),
        )
        with self._lock:
            if self._closed:
                raise EngineClosed("The model worker is closed; start the app again.")
            if len(self._sequences) >= self._memory.slots + self._max_waiting:
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
        self._runner.take_thread()
        try:
            while not self._closed:
                self._obey(wait=not self._scheduler.busy)
                if step := self._scheduler.schedule():
                    with self._surviving():
                        self._step(step)
        finally:
            with self._lock:
                self._closed = True
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

    def _step(self, step: Step) -> None:
        """Read one step's tokens; for all who have none left to read, sample the next."""
        started = time.perf_counter()
        logits = self._runner.forward(step)
        self._scheduler.advance(step)
        rows = [*step.decoding, step.reading] if step.reading and step.last else step.decoding
        ready = [row for row, sequence in enumerate(rows) if not sequence.pending]
        ready = [row for row in ready if not self._force_end_of_thinking(rows[row])]
        sequences = [rows[row] for row in ready]
        tokens = self._sampler.sample(logits[ready], sequences) if ready else []
        self._scheduler.pace(step, time.perf_counter() - started)
        for sequence, token in zip(sequences, tokens, strict=True):
            self._take(sequence, token)
        if step.reading and not step.last:
            step.reading.tell_progress()

    def _force_end_of_thinking(self, sequence: Sequence, *, stopped: bool = False) -> bool:
        """Feed the end of the reasoning to the model as if it had written it, if it is due."""
        output = sequence.output
        if not output.began:
            sequence.stream.put(*output.begin())
        forced = output.forced_close(stopped=stopped)
        if forced is None:
            return False
        text, events = forced
        sequence.tokens += self._tokenizer.encode(text)
        sequence.detokenizer.reset()
        sequence.stream.put(*events)
        return True

    def _take(self, sequence: Sequence, token: int | None) -> None:
        """Tell what a sampled token means."""
        if token is None:
            failure = "The model produced no usable numbers for this request; try again."
            self._end(sequence, GenerationFailed(failure), tainted=True)
        elif token in self._stop_ids:
            # A model that stops while it thinks still owes the answer.
            if not self._force_end_of_thinking(sequence, stopped=True):
                self._finish(sequence, FinishReason.STOP)
        else:
            sequence.tokens.append(token)
            sequence.stream.put(*sequence.output.add(sequence.detokenizer.add(token)))
            if sequence.output.full:
                self._finish(sequence, FinishReason.LENGTH)

    def _abort(self, sequence: Sequence) -> None:
        if self._sequences.get(sequence.request.request_id) is sequence:
            self._finish(sequence, FinishReason.ABORT)

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        sequence.stream.put(*sequence.output.finish(reason))
        self._end(sequence)

    def _end(
        self, sequence: Sequence, error: NanoError | None = None, *, tainted: bool = False
    ) -> None:
        if error:
            self._stats.count_finished(None)
        self._scheduler.remove(sequence, tainted=tainted)
        with self._lock:
            self._sequences.pop(sequence.request.request_id, None)
        sequence.stream.end(error)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Whatever a step fails with, go on serving."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            if _out_of_memory(error):
                self._let_the_largest_go()
            else:
                _log.exception("A step of the model failed")
                self._end_all_running()

    def _let_the_largest_go(self) -> None:
        """Free memory; the others read their tokens again, for the step may be half done."""
        largest = max(self._scheduler.running, key=lambda sequence: len(sequence.tokens))
        _log.warning("Out of memory; ending a request of %d tokens", len(largest.tokens))
        reason = "There was not enough memory to go on; this was the longest conversation running."
        self._end(largest, GenerationFailed(f"{reason} Shorten it, or try again later."))
        self._memory.forget()
        self._scheduler.restart()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _end_all_running(self) -> None:
        """End those whose state may be broken; what they wrote is forgotten with them."""
        for sequence in list(self._scheduler.running):
            failure = GenerationFailed("The model failed in the middle of this answer; try again.")
            self._end(sequence, failure, tainted=True)


def _out_of_memory(error: Exception) -> bool:
    # On a CPU, torch says so in a RuntimeError's message.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(
        error
    )
