"""What one person feels: start to ready, time to first token, tokens per second.

The peer is `transformers.generate` with its own streamer: the same weights in the same process, on
the same prompt, for the same number of tokens, the two in turn. Ratios are taken run by run, so a
machine that drifts drifts for both. The physical limit is that of memory: decoding one token reads
every weight once.

    python -m benchmarks.single_user [--model DIR] [--tokens 128] [--runs 7]
"""

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import torch
import transformers
from transformers import AutoTokenizer, PreTrainedModel, TextIteratorStreamer

from nano2_app.chat.messages import user
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.chat.template import render_prompt
from nano2_app.chat.transcript import Transcript
from nano2_app.config import EMBEDDED_MODEL_DIR
from nano2_app.engine.base import GenerationRequest
from nano2_app.engine.local.loader import LoadedModel, load_model, load_pretrained
from nano2_app.engine.local.local_engine import LocalEngine

QUESTION = (user("What is 347 + 586? Explain every step."),)


@dataclass(frozen=True, slots=True)
class Run:
    """One generation: seconds to the first token, and tokens per second after it."""

    time_to_first_token_s: float
    tokens_per_second: float


def run_engine(engine: LocalEngine, tokens: int) -> Run:
    """Generate through the engine, as the app does."""

    async def generate() -> Transcript:
        transcript = Transcript()
        params = SamplingParams(temperature=0.0, skip_reasoning=True, max_tokens=tokens)
        async for event in engine.generate(GenerationRequest(QUESTION, params)):
            transcript.add(event)
        return transcript

    timings = asyncio.run(generate()).timings
    if timings is None or timings.time_to_first_token_s is None:
        raise SystemExit("The engine generated nothing.")
    return Run(timings.time_to_first_token_s, timings.tokens_per_second)


@dataclass(frozen=True, slots=True)
class Peer:
    """The same model as transformers has it."""

    network: PreTrainedModel
    tokenizer: Any
    prompt: list[int]


def load_peer(model: str, loaded: LoadedModel) -> Peer:
    """Load the model a second time, in the engine's dtype."""
    network, tokenizer = load_pretrained(model, dtype=loaded.network.dtype)
    prompt = tokenizer.encode_prompt(render_prompt(QUESTION, thinking=False))
    return Peer(network, AutoTokenizer.from_pretrained(model), prompt.tokens)


def run_generate(peer: Peer, tokens: int) -> Run:
    """Generate with transformers: `generate` in a thread, its streamer read here."""
    input_ids = torch.tensor([peer.prompt], device=peer.network.device)
    streamer = TextIteratorStreamer(peer.tokenizer, skip_prompt=True)
    asked = time.perf_counter()
    thread = Thread(
        target=peer.network.generate,
        kwargs={
            "input_ids": input_ids,
            "streamer": streamer,
            "max_new_tokens": tokens,
            "do_sample": False,
            "eos_token_id": None,
        },
    )
    times: list[float] = []
    streamer.on_finalized_text = timed(streamer.on_finalized_text, times)
    thread.start()
    for _ in streamer:
        pass
    thread.join()
    return Run(times[0] - asked, (tokens - 1) / (times[-1] - times[0]))


def timed(report: Callable[..., None], times: list[float]) -> Callable[..., None]:
    """Note when each piece of text was ready."""

    def wrapped(text: str, stream_end: bool = False) -> None:
        times.append(time.perf_counter())
        report(text, stream_end=stream_end)

    return wrapped


def start_seconds() -> float:
    """Seconds from the start of the app's process until it says that it is ready."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "nano2_app", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                if "http://" in line:
                    return time.perf_counter() - started
        finally:
            process.terminate()
    raise SystemExit("The app did not start.")


def memory_limit(loaded: LoadedModel) -> float:
    """Tokens per second if reading the weights from memory were all there is to a token."""
    block = torch.ones(1 << 26)  # 256 MiB: no cache holds it
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        block.sum()
        seconds.append(time.perf_counter() - started)
    bandwidth = block.numel() * block.element_size() / min(seconds)
    return float(bandwidth / loaded.network.weight_bytes)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(EMBEDDED_MODEL_DIR))
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()

    starts = [start_seconds() for _ in range(3)]
    loaded = load_model(arguments.model)
    peer = load_peer(arguments.model, loaded)
    engine = LocalEngine(loaded.runner(), loaded.tokenizer, loaded.card, stop_ids=())
    try:
        run_engine(engine, 16), run_generate(peer, 16)  # warm up
        pairs = [
            (run_engine(engine, arguments.tokens), run_generate(peer, arguments.tokens))
            for _ in range(arguments.runs)
        ]
    finally:
        engine.close()
    report(loaded, pairs, starts, memory_limit(loaded))


def report(
    loaded: LoadedModel, pairs: list[tuple[Run, Run]], starts: list[float], limit: float
) -> None:
    """Print the table, then one line of JSON."""
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    speed = [a.tokens_per_second / b.tokens_per_second for a, b in pairs]
    first = [a.time_to_first_token_s / b.time_to_first_token_s for a, b in pairs]
    result = {
        "benchmark": "single_user",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s)",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "model": asdict(loaded.card),
        "start_to_ready_s": statistics.median(starts),
        "engine": _medians(ours),
        "generate": _medians(theirs),
        "speed_ratio": statistics.median(speed),
        "first_token_ratio": statistics.median(first),
        "memory_limit_tokens_per_second": limit,
    }
    engine, peer = _medians(ours), _medians(theirs)
    print(
        f"{loaded.card.name} on {loaded.card.device}, {loaded.card.dtype}, medians of {len(pairs)}"
    )
    print(f"start of the process to ready   {statistics.median(starts):8.1f} s")
    print(f"{'':32}{'this app':>10}{'generate':>10}{'ratio':>8}   (min to max)")
    row = "{:32}{:10.1f}{:10.1f}{:8.2f}   ({:.2f} to {:.2f})"
    key = "time_to_first_token_s"
    milliseconds = 1000 * engine[key], 1000 * peer[key]
    print(row.format("time to first token, ms", *milliseconds, *_spread(first)))
    key = "tokens_per_second"
    print(row.format("tokens per second", engine[key], peer[key], *_spread(speed)))
    share = engine[key] / limit
    print(f"limit set by memory bandwidth   {limit:10,.0f} tokens/s; reached: {share:.1%}")
    print(json.dumps(result))


def _medians(runs: list[Run]) -> dict[str, float]:
    return {
        name: statistics.median(getattr(run, name) for run in runs)
        for name in ("time_to_first_token_s", "tokens_per_second")
    }


def _spread(ratios: list[float]) -> tuple[float, float, float]:
    return statistics.median(ratios), min(ratios), max(ratios)


if __name__ == "__main__":
    main()
