"""Batched decoding with the thinking budget, for measuring many answers at once.

Rows of a batch may have prompts of any length: what goes beyond the shortest prompt is fed token
by token, like the forced end of a trace. So there is no padding, which recurrent layers would see.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import NemotronHForCausalLM

from nano2_app.chat.reasoning import THINK_CLOSE
from nano2_app.chat.template import TURN_END
from training.examples import ends_line, forced_close
from training.tokenizer import control_id

MIN_GRACE = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How to decode. A budget of None leaves the end of the trace to the model."""

    temperature: float = 0.0
    top_p: float = 0.95
    budget: int | None = None
    max_tokens: int = 420
    seed: int = 0


@dataclass(slots=True)
class Row:
    """One sequence of a batch: what is still to be fed, and what has been generated."""

    waiting: deque[int]
    thinking: bool
    generated: list[int] = field(default_factory=list)
    finished: bool = False


@torch.inference_mode()
def complete(
    model: NemotronHForCausalLM,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    settings: Settings,
    *,
    thinking: bool,
) -> list[list[int]]:
    """Return the generated tokens of every prompt, forced ones included, without the last stop."""
    torch.manual_seed(settings.seed)
    shared = min(map(len, prompts))
    rows = [Row(deque(prompt[shared:]), thinking) for prompt in prompts]
    output = model(torch.tensor([list(prompt[:shared]) for prompt in prompts]), use_cache=True)
    longest = max(map(len, prompts)) - shared + settings.max_tokens
    for _ in range(longest):
        sampled = pick(output.logits[:, -1].float(), settings).tolist()
        tokens = [
            _next(tokenizer, row, token, settings) for row, token in zip(rows, sampled, strict=True)
        ]
        if all(row.finished for row in rows):
            break
        output = model(
            torch.tensor(tokens)[:, None], past_key_values=output.past_key_values, use_cache=True
        )
    return [row.generated for row in rows]


def pick(logits: Tensor, settings: Settings) -> Tensor:
    """Choose a token per row: the likeliest, or one drawn from the top of the distribution."""
    if not settings.temperature:
        return logits.argmax(-1)
    ordered, tokens = torch.softmax(logits / settings.temperature, -1).sort(-1, descending=True)
    ordered[ordered.cumsum(-1) - ordered > settings.top_p] = 0.0
    return tokens.gather(-1, torch.multinomial(ordered, 1))[:, 0]


def _next(tokenizer: Tokenizer, row: Row, sampled: int, settings: Settings) -> int:
    """Return the token that a row is fed: a waiting one, else the sampled one."""
    if row.waiting:
        return row.waiting.popleft()
    if row.finished or len(row.generated) >= settings.max_tokens:
        row.finished = True
        return 0
    if row.thinking and settings.budget is not None and row.generated:
        _enforce(tokenizer, row, settings.budget)
        if row.waiting:
            return row.waiting.popleft()
    if sampled == control_id(tokenizer, TURN_END):
        row.finished = True
        return 0
    row.generated.append(sampled)
    if row.thinking and THINK_CLOSE in tokenizer.decode(row.generated[-8:]):
        row.thinking = False
    return sampled


def _enforce(tokenizer: Tokenizer, row: Row, budget: int) -> None:
    """Force the end of a trace that has used its budget up."""
    used = len(row.generated)
    at_limit = used >= budget + max(MIN_GRACE, budget // 10)
    if used < budget or not (at_limit or ends_line(tokenizer, row.generated)):
        return
    closing = forced_close(tokenizer, row.generated)
    row.waiting.extend(closing)
    row.generated += closing
    row.thinking = False


def split_answer(text: str, *, thinking: bool) -> str:
    """Return the answer of a completion; empty if the trace never ended."""
    return text.partition(THINK_CLOSE)[2].strip() if thinking else text.strip()
