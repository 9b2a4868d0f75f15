"""How observations and tokens are counted, with a clock in hand."""

import pytest

from nano2_app.chat.events import FinishReason
from nano2_app.engine.stats import EngineStats, Histogram


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stats(clock: Clock) -> EngineStats:
    return EngineStats(clock)


def observed(*seconds: float) -> Histogram:
    histogram = Histogram((0.1, 1.0, 10.0))
    for observation in seconds:
        histogram.observe(observation)
    return histogram


def test_an_observation_at_a_bound_is_within_it() -> None:
    histogram = observed(0.0, 0.1, 0.11, 1.0, 10.0, 10.1, 1e9)

    assert histogram.counts == [2, 2, 1, 2]
    assert histogram.count == 7
    assert histogram.total == pytest.approx(1e9 + 21.31)


@pytest.mark.parametrize(
    ("seconds", "share", "bound"),
    [
        ([], 0.5, None),
        ([0.05], 0.0, 0.1),
        ([5], 0.0, 10.0),
        ([5], 1.0, 10.0),
        ([0.05, 5], 0.5, 0.1),
        ([0.05, 5], 0.51, 10.0),
        ([0.05] * 19 + [5], 0.95, 0.1),
        ([0.05] * 18 + [5] * 2, 0.95, 10.0),
        ([0.05, 99], 1.0, None),
        ([99], 0.0, None),
    ],
)
def test_a_quantile_is_the_upper_bound_of_its_bucket(
    seconds: list[float], share: float, bound: float | None
) -> None:
    assert observed(*seconds).quantile(share) == bound


def test_two_histograms_share_nothing() -> None:
    first, second = observed(0.5), observed()

    assert (first.count, second.count) == (1, 0)


def test_tokens_are_counted_with_the_wait_for_them(stats: EngineStats) -> None:
    stats.count_first_token(0.3)
    stats.count_next_token(0.02)
    stats.count_next_token(0.04)

    assert stats.output_tokens == 3
    assert (stats.first_token.count, stats.first_token.total) == (1, 0.3)
    assert stats.between_tokens.count == 2
    assert stats.between_tokens.total == pytest.approx(0.06)


def test_a_prompt_without_a_kept_part_is_no_hit(stats: EngineStats) -> None:
    for tokens in (0, 40, 2):
        stats.count_prefix(tokens)

    assert (stats.prefix_queries, stats.prefix_hits, stats.prefix_tokens) == (3, 2, 42)


def test_generations_are_counted_by_how_they_ended(stats: EngineStats) -> None:
    for reason in (FinishReason.STOP, FinishReason.ABORT, FinishReason.STOP, None):
        stats.count_finished(reason)

    assert stats.finished == {"stop": 2, "abort": 1, "error": 1}
    assert stats.finished["length"] == 0


def count_tokens(stats: EngineStats, clock: Clock, number: int, every: float) -> None:
    for _ in range(number):
        clock.now += every
        stats.count_next_token(every)


def test_no_tokens_are_no_speed(stats: EngineStats) -> None:
    assert stats.tokens_per_second == 0.0


def test_a_steady_speed_is_told_as_it_is(stats: EngineStats, clock: Clock) -> None:
    count_tokens(stats, clock, 3000, every=0.01)

    assert stats.tokens_per_second == pytest.approx(100, rel=0.1)


def test_the_first_second_is_not_told_as_a_rush(stats: EngineStats, clock: Clock) -> None:
    count_tokens(stats, clock, 5, every=0.001)

    assert stats.tokens_per_second == 5.0


def test_the_speed_falls_when_nothing_comes_any_more(stats: EngineStats, clock: Clock) -> None:
    count_tokens(stats, clock, 200, every=0.01)
    at_work = stats.tokens_per_second
    clock.now += 5
    lately = stats.tokens_per_second
    clock.now += 10

    assert at_work > lately > 0
    assert stats.tokens_per_second == 0.0
    assert stats.output_tokens == 200


def test_after_a_pause_only_the_new_tokens_count(stats: EngineStats, clock: Clock) -> None:
    count_tokens(stats, clock, 500, every=0.01)
    clock.now += 60
    count_tokens(stats, clock, 40, every=0.1)

    assert stats.tokens_per_second == pytest.approx(10, rel=0.1)
