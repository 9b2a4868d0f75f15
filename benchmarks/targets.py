"""Engines that can be put under load: the app's, transformers' and servers."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from benchmarks.load import Load, Prompt, Trace, after
from benchmarks.peers.client import stream
from nano2_app.chat.events import ReasoningDelta
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.engine.base import Engine, GenerationRequest


class AppEngine:
    """The app's engine, as its faces call it; greedy, reasoning without end until left."""

    name = "this app"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self, load: Load) -> list[Trace]:
        """Put the load on it."""
        return await _gather(load, self.stream)

    async def stream(self, prompt: Prompt, tokens: int) -> list[float]:
        """Generate so many tokens; return when each came."""
        room = tokens + 16  # left before its end, so nothing forces the reasoning to close
        params = SamplingParams(temperature=0.0, max_tokens=room, answer_reserve=1)
        times: list[float] = []
        async with aclosing(
            self._engine.generate(GenerationRequest(prompt.messages, params))
        ) as events:
            async for event in events:
                if isinstance(event, ReasoningDelta):
                    times += [time.perf_counter()] * (event.tokens - len(times))
                    if len(times) >= tokens:
                        break
        if len(times) != tokens:
            raise RuntimeError(f"The engine generated {len(times)} tokens, not {tokens}.")
        return times


class Transformers:
    """`transformers.generate` in a process of its own, on its main thread; one call at a time."""

    def __init__(self, folder: Path, *, threads: int, dtype: torch.dtype) -> None:
        self._process = ProcessPoolExecutor(
            1, get_context("spawn"), initializer=load, initargs=(folder, threads, dtype)
        )

    async def generate(self, token_ids: list[list[int]], tokens: int) -> list[float]:
        """Generate so many tokens for a batch; return when each step was done."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._process, generate, token_ids, tokens)

    def close(self) -> None:
        """End the process."""
        self._process.shutdown()


class LockedGenerate:
    """One after the other: what most demos on a page do."""

    name = "generate, locked"

    def __init__(self, transformers: Transformers) -> None:
        self._transformers = transformers

    async def run(self, load: Load) -> list[Trace]:
        """Put the load on it."""
        return await _gather(load, self._stream)

    async def _stream(self, prompt: Prompt, tokens: int) -> list[float]:
        return await self._transformers.generate([prompt.token_ids], tokens)


class StaticBatch:
    """All prompts as one batch; of equal length, asked at once."""

    name = "generate, one batch"

    def __init__(self, transformers: Transformers) -> None:
        self._transformers = transformers

    async def run(self, load: Load) -> list[Trace]:
        """Put the load on it."""
        asked = time.perf_counter()
        ids = [prompt.token_ids for prompt in load.prompts]
        times = await self._transformers.generate(ids, load.tokens)
        return [Trace(asked, times) for _ in load.prompts]


class Server:
    """A server with an OpenAI-style API."""

    def __init__(self, name: str, url: str, extra: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self._url = url
        self._extra = extra

    async def run(self, load: Load) -> list[Trace]:
        """Put the load on it."""
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=600, limits=limits) as client:

            async def ask(prompt: Prompt, tokens: int) -> list[float]:
                ids = prompt.token_ids
                return await stream(client, self._url, ids, tokens, extra=self._extra)

            return await _gather(load, ask)


async def _gather(load: Load, stream: Callable[[Prompt, int], Any]) -> list[Trace]:
    async def ask(prompt: Prompt, arrival: float) -> Trace:
        await after(arrival)
        asked = time.perf_counter()
        return Trace(asked, await stream(prompt, load.tokens))

    asks = map(ask, load.prompts, load.arrivals)
    return list(await asyncio.gather(*asks))


# What follows runs in the process of `Transformers`, which has one model.

_loaded: list[PreTrainedModel] = []


def load(folder: Path, threads: int, dtype: torch.dtype) -> None:
    """Load the model of this process."""
    torch.set_num_threads(threads)
    _loaded.append(AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval())


def generate(token_ids: list[list[int]], tokens: int) -> list[float]:
    """Generate so many tokens greedily, past any end; return when each step was done."""
    times: list[float] = []

    def note(ids: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
        times.append(time.perf_counter())
        return torch.zeros(len(ids), dtype=torch.bool)

    input_ids = torch.tensor(token_ids)
    with torch.inference_mode():
        _loaded[0].generate(
            input_ids,
            attention_mask=torch.ones_like(input_ids),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            stopping_criteria=[note],
        )
    return times
