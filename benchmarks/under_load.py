"""What those who use the app's engine feel of each other, and what it costs beside the model."""

import asyncio
import statistics
import time
from contextlib import closing

import psutil
from torch import Tensor

from benchmarks.load import Figures, Load, percentiles
from benchmarks.prompts import Prompts
from benchmarks.targets import AppEngine
from nano2_app.engine.local.loader import LoadedModel
from nano2_app.engine.local.local_engine import LocalEngine
from nano2_app.engine.local.model_runner import ModelRunner
from nano2_app.engine.local.scheduler import Step

LONG = 4000
READERS = 4
ROUNDS = 3


def between_tokens_during_prefill(engine: LocalEngine, prompts: Prompts) -> float:
    """p95 of the time between tokens while a long prompt is read, by that without it."""

    async def once() -> float:
        target = AppEngine(engine)
        [long] = prompts.make(1, length=_long(engine))
        readers = asyncio.create_task(target.run(Load.at_once(prompts.make(READERS), 1500)))
        while engine.status().stats.between_tokens.count < before + READERS * 100:
            await asyncio.sleep(0.01)
        start = time.perf_counter()
        [trace] = await target.run(Load.at_once([long], 1))
        end = trace.tokens[0]
        traces = await readers
        calm = [gap for one in traces for gap in one.gaps(end=start)]
        disturbed = [gap for one in traces for gap in one.gaps(start, end)]
        if min(one.tokens[-1] for one in traces) < end:
            raise RuntimeError("The readers were through before the long prompt was.")
        return percentiles(disturbed)[1] / percentiles(calm)[1]

    ratios = []
    with closing(engine):
        for _ in range(ROUNDS):
            before = engine.status().stats.between_tokens.count
            ratios.append(asyncio.run(once()))
    return statistics.median(ratios)


def follow_up(engine: LocalEngine, prompts: Prompts) -> float:
    """Time to first token of a question on a long document's answer, by that of the first."""

    async def once() -> float:
        target = AppEngine(engine)
        [first] = prompts.make(1, length=_long(engine))
        second = prompts.follow_up(first, "And what follows from that?")
        [cold] = await target.run(Load.at_once([first], 4))
        [warm] = await target.run(Load.at_once([second], 4))
        return warm.time_to_first_token / cold.time_to_first_token

    with closing(engine):
        return statistics.median(asyncio.run(once()) for _ in range(ROUNDS))


def many_on_few_slots(engine: LocalEngine, prompts: Prompts, clients: int = 64) -> str:
    """Serve many at once, twice; tell what they felt, and what it did to the memory."""
    process = psutil.Process()
    with closing(engine):
        asyncio.run(AppEngine(engine).run(Load.at_once(prompts.make(clients), 64)))  # warm up
        before = process.memory_info().rss
        traces = asyncio.run(AppEngine(engine).run(Load.at_once(prompts.make(clients), 64)))
        grown = (process.memory_info().rss - before) / 2**20
        slots = engine.status().slots
    first = Figures.of(traces).first_token
    return (
        f"{len(traces)} of {clients} clients served on {slots} slots; first token after "
        f"{first[0]:.2f} s (p50), {max(t.time_to_first_token for t in traces):.2f} s at the most; "
        f"memory grew by {grown:.1f} MiB in the second round"
    )


def engine_overhead(loaded: LoadedModel, prompts: Prompts, *, slots: int) -> float:
    """Time of a step outside the model, by that in it, with all slots decoding."""
    runner = loaded.runner(slots=slots)
    timed = TimedRunner(runner)
    engine = LocalEngine(timed, loaded.tokenizer, loaded.card, stop_ids=())
    with closing(engine):
        asyncio.run(AppEngine(engine).run(Load.at_once(prompts.make(slots), 200)))
    full = [
        (end - start, next_start - end)
        for (start, end, n), (next_start, _, m) in zip(timed.steps, timed.steps[1:], strict=False)
        if n == m == slots
    ]
    return statistics.median(outside / inside for inside, outside in full)


class TimedRunner(ModelRunner):
    """A runner that notes when each step began and ended, and how many sequences decoded."""

    def __init__(self, runner: ModelRunner) -> None:
        self.__dict__ |= runner.__dict__
        self.steps: list[tuple[float, float, int]] = []

    def forward(self, step: Step) -> Tensor:
        """Run the step and note its times."""
        start = time.perf_counter()
        logits = super().forward(step)
        self.steps.append((start, time.perf_counter(), len(step.decoding)))
        return logits


def _long(engine: LocalEngine) -> int:
    return min(LONG, engine.status().model.context_length - 256)
