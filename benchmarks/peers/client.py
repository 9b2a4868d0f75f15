"""Stream one completion from an OpenAI-style server and note when each token arrived."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

# What a request to llama.cpp needs besides: prompts are read anew, and each chunk says how many
# tokens there are so far.
LLAMACPP_EXTRA = {"cache_prompt": False, "timings_per_token": True}


async def stream(
    client: httpx.AsyncClient,
    url: str,
    prompt: list[int],
    max_tokens: int,
    *,
    extra: Mapping[str, Any] | None = None,
) -> list[float]:
    """Generate greedily and return the time.perf_counter() at which each token arrived, in s.

    Servers put several tokens into one chunk, or none, while the bytes so far are no whole
    character or when the reader is slow; so tokens are counted by what each chunk says of the
    number so far, and tokens of one chunk arrived at one time.

    Args:
        client: its timeouts apply, also between two chunks.
        url: base of the server; the path /v1/completions is added.
        prompt: token ids.
        max_tokens: how many to generate; the model's own end is ignored.
        extra: further fields of the request; for llama.cpp LLAMACPP_EXTRA.

    Raises:
        RuntimeError: the server generated another number of tokens, or reports an error.
        httpx.HTTPError: no answer, or one of failure.
    """
    request = {
        "prompt": prompt,
        "max_tokens": max_tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        **(extra or {}),
    }
    times: list[float] = []
    async with client.stream("POST", f"{url}/v1/completions", json=request) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            now = time.perf_counter()
            if line.startswith("data: {"):
                so_far = tokens_so_far(json.loads(line.removeprefix("data: ")))
                times += [now] * (so_far - len(times))
    if len(times) != max_tokens:
        raise RuntimeError(f"The server generated {len(times)} tokens, not {max_tokens}.")
    return times


def tokens_so_far(chunk: dict[str, Any]) -> int:
    """Return the number of tokens generated so far, by the usage (vLLM) or timings (llama.cpp)."""
    if "error" in chunk:
        raise RuntimeError(f"The server reports: {chunk['error']}")
    timings = chunk.get("timings") or {}
    usage = chunk.get("usage") or {}
    return int(timings.get("predicted_n", usage.get("completion_tokens", 0)))
