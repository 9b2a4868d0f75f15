"""An engine's status as JSON."""

from dataclasses import asdict
from typing import Any

from nano2_app.engine.base import EngineStatus
from nano2_app.engine.stats import Histogram


def status_json(status: EngineStatus) -> dict[str, Any]:
    """Write down what answers, how busy it is, and its figures since the start.

    "cache" is None where the engine has no say over it. For "p50" and "p95" see `_quantiles`.
    """
    stats = status.stats
    return {
        "model": asdict(status.model),
        "running": status.running,
        "waiting": status.waiting,
        "slots": status.slots,
        "cache": status.cache and asdict(status.cache),
        "prefix": {
            "queries": stats.prefix_queries,
            "hits": stats.prefix_hits,
            "tokens": stats.prefix_tokens,
        },
        "tokens_per_second": stats.tokens_per_second,
        "time_to_first_token_s": _quantiles(stats.first_token),
        "inter_token_s": _quantiles(stats.between_tokens),
    }


def _quantiles(histogram: Histogram) -> dict[str, float | int | None]:
    """Give upper bounds: half (95 %) of the observations were at most "p50" ("p95") seconds.

    They are the bounds of buckets, not exact; None without observations, or beyond the last bound.
    """
    return {
        "p50": histogram.quantile(0.5),
        "p95": histogram.quantile(0.95),
        "count": histogram.count,
    }
