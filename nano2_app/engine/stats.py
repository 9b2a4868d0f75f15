"""Figures of an engine at work: counts, and how long people wait for tokens."""

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from nano2_app.chat.events import FinishReason

FIRST_TOKEN_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
BETWEEN_TOKENS_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_WINDOW_S = 10.0
"""Tokens per second are those of so many last seconds."""


@dataclass
class Histogram:
    """Counts of observations by size.

    Attributes:
        bounds: upper bounds of the buckets, seconds, ascending; a last bucket takes the rest.
        counts: observations per bucket, one more than bounds.
        total: sum of all observations, seconds.
    """

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """Number of observations."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """Upper bound of the bucket in which this share of the observations is reached, seconds.

        None without observations, or if only the unbounded bucket reaches it.
        """
        wanted, seen = share * self.count, 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return None


class EngineStats:
    """Written by the engine, one thread at a time; read by any thread.

    Attributes:
        first_token: from the request to its first token.
        between_tokens: from one token of an answer to its next.
        prompt_tokens, output_tokens: read and sampled so far.
        finished: generations by how they ended; those that failed count as "error".
        prefix_queries, prefix_hits: prompts that began, and those of which a part had been kept.
        prefix_tokens: tokens that did not have to be read again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.first_token = Histogram(FIRST_TOKEN_BOUNDS)
        self.between_tokens = Histogram(BETWEEN_TOKENS_BOUNDS)
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.finished: Counter[str] = Counter()
        self.prefix_queries = 0
        self.prefix_hits = 0
        self.prefix_tokens = 0
        self._recent: deque[tuple[float, int]] = deque()  # by second: its start, tokens

    def count_first_token(self, seconds: float) -> None:
        """A generation had its first token after so many seconds."""
        self.first_token.observe(seconds)
        self._count_token()

    def count_next_token(self, seconds: float) -> None:
        """A generation had a further token, so many seconds after the one before."""
        self.between_tokens.observe(seconds)
        self._count_token()

    def count_prefix(self, tokens: int) -> None:
        """A prompt began, so many tokens of which were kept from before."""
        self.prefix_queries += 1
        self.prefix_hits += tokens > 0
        self.prefix_tokens += tokens

    def count_finished(self, reason: FinishReason | None) -> None:
        """A generation ended; without a reason, it failed."""
        self.finished["error" if reason is None else reason.value] += 1

    @property
    def tokens_per_second(self) -> float:
        """Sampled tokens of all generations together, over the last ten seconds."""
        now = self._clock()
        recent = [
            (second, tokens) for second, tokens in list(self._recent) if now - second < _WINDOW_S
        ]
        if not recent:
            return 0.0
        return sum(tokens for _, tokens in recent) / max(1.0, now - recent[0][0])

    def _count_token(self) -> None:
        self.output_tokens += 1
        now = self._clock()
        if self._recent and now - self._recent[-1][0] < 1.0:
            second, tokens = self._recent[-1]
            self._recent[-1] = (second, tokens + 1)
            return
        self._recent.append((now, 1))
        while now - self._recent[0][0] > _WINDOW_S:
            self._recent.popleft()
