"""A load on an engine, and what those who asked felt."""

import asyncio
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nano2_app.chat.messages import Message


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt in both forms: what the app takes, and the same as token ids for its peers."""

    messages: tuple[Message, ...]
    token_ids: list[int]


@dataclass(frozen=True, slots=True)
class Load:
    """Prompts, and how they arrive.

    Attributes:
        prompts: one per client.
        tokens: that each generates.
        arrivals: seconds after the start at which each is asked.
    """

    prompts: Sequence[Prompt]
    tokens: int
    arrivals: Sequence[float]

    @classmethod
    def at_once(cls, prompts: Sequence[Prompt], tokens: int) -> "Load":
        """All ask at the same moment."""
        return cls(prompts, tokens, [0.0] * len(prompts))

    @classmethod
    def poisson(
        cls, prompts: Sequence[Prompt], tokens: int, *, rate: float, seed: int = 0
    ) -> "Load":
        """They ask independently of each other, `rate` a second on average."""
        chance, at, arrivals = random.Random(seed), 0.0, []
        for _ in prompts:
            at += chance.expovariate(rate)
            arrivals.append(at)
        return cls(prompts, tokens, arrivals)


@dataclass(frozen=True, slots=True)
class Trace:
    """One request: when it was asked and when each token came, by time.perf_counter()."""

    asked: float
    tokens: list[float]

    @property
    def time_to_first_token(self) -> float:
        """Seconds."""
        return self.tokens[0] - self.asked

    def gaps(self, start: float = float("-inf"), end: float = float("inf")) -> list[float]:
        """Seconds between a token and its next, for those that came between two times."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        return [after - before for before, after in pairs if start <= after <= end]


class Target(Protocol):
    """An engine under load."""

    name: str

    async def run(self, load: Load) -> list[Trace]:
        """Put the load on it; traces come in the order of the prompts."""
        ...


@dataclass(frozen=True, slots=True)
class Figures:
    """What a load felt like.

    Attributes:
        throughput: tokens per second of all together, from the first question to the last token.
        first_token: p50, p95 and p99 of the time to first token, s.
        inter_token: the same of the time between tokens, s.
    """

    throughput: float
    first_token: tuple[float, float, float]
    inter_token: tuple[float, float, float]

    @classmethod
    def of(cls, traces: Sequence[Trace]) -> "Figures":
        """Add traces up."""
        asked = min(trace.asked for trace in traces)
        seconds = max(trace.tokens[-1] for trace in traces) - asked
        return cls(
            sum(len(trace.tokens) for trace in traces) / seconds,
            percentiles([trace.time_to_first_token for trace in traces]),
            percentiles([gap for trace in traces for gap in trace.gaps()]),
        )


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """p50, p95 and p99."""
    if len(values) == 1:
        return (values[0],) * 3
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


async def after(seconds: float) -> None:
    """Wait for one's turn to ask."""
    if seconds:
        await asyncio.sleep(seconds)
