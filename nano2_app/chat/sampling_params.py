"""How one generation is sampled, how long it may think and how long it may be."""

from dataclasses import dataclass

from nano2_app.errors import InvalidRequest

MAX_TOKENS_LIMIT = 1 << 20
"""No budget or length may be larger: eight times the 9B's context."""

MAX_SEED = (1 << 53) - 1
"""Largest seed: every whole number up to it survives JSON and a browser unchanged."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Sampling parameters of one request.

    Values are checked, and whole numbers given as floats (as sliders and JSON give them) become
    ints; anything else raises InvalidRequest with the value and the allowed range.

    Attributes:
        temperature: 0 decodes greedily.
        top_p: share of the probability mass that is kept, in (0, 1].
        top_k: number of candidates kept; 0 keeps all.
        seed: the same seed gives the same output; None lets the engine draw one.
        max_tokens: most tokens sampled for reasoning and answer together; None is 32,768, or what
            the context has room for.
        thinking_budget: tokens of reasoning from which on the trace is ended; None leaves it to the
            model; 0 skips reasoning.
        thinking_grace: tokens past the budget within which the end waits for a line break; None is
            10 % of the budget, at least 16 and at most 500; 0 ends hard.
        skip_reasoning: answer without reasoning.
        answer_reserve: tokens thinking can't use; None is a quarter of the room for reasoning and
            answer, at most 1,024.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 0
    seed: int | None = None
    max_tokens: int | None = None
    thinking_budget: int | None = None
    thinking_grace: int | None = None
    skip_reasoning: bool = False
    answer_reserve: int | None = None

    def __post_init__(self) -> None:
        checked = {
            "temperature": number(self.temperature, "temperature", 0.0, 2.0),
            "top_p": number(self.top_p, "top-p", 0.0, 1.0),
            "top_k": whole_number(self.top_k, "top-k", 0, MAX_TOKENS_LIMIT),
            "seed": _optional(self.seed, "seed", 0, MAX_SEED),
            "max_tokens": _optional(self.max_tokens, "maximum of tokens", 1, MAX_TOKENS_LIMIT),
            "thinking_budget": check_thinking_budget(self.thinking_budget),
            "thinking_grace": _optional(self.thinking_grace, "grace", 0, MAX_TOKENS_LIMIT),
            "answer_reserve": _optional(self.answer_reserve, "reserve", 1, MAX_TOKENS_LIMIT),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.top_p == 0.0:
            raise InvalidRequest("The top-p must be above 0 and at most 1, not 0.")
        if not isinstance(self.skip_reasoning, bool):
            raise InvalidRequest(
                f"Skip reasoning must be true or false, not {_shown(self.skip_reasoning)}."
            )

    @property
    def thinking(self) -> bool:
        """Whether the model reasons before it answers."""
        return not self.skip_reasoning and self.thinking_budget != 0

    def reserve(self, room: int) -> int:
        """Tokens of `room` (for reasoning and answer) that thinking can't use."""
        wanted = self.answer_reserve
        if wanted is None:
            wanted = min(1024, room // 4)
        return max(1, min(wanted, room))


def check_thinking_budget(value: object) -> int | None:
    """Return `value` as a thinking budget: None for no budget, else a whole number of tokens.

    Raises:
        InvalidRequest: it is neither.
    """
    return _optional(value, "thinking budget", 0, MAX_TOKENS_LIMIT)


def default_grace(thinking_budget: int) -> int:
    """Tokens past the budget in which the trace may finish its line (10 %, 16 to 500)."""
    return min(500, max(16, thinking_budget // 10))


def number(value: object, what: str, low: float, high: float) -> float:
    """Return `value` as a float within [low, high], or raise InvalidRequest."""
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    if not usable or not low <= value <= high:  # type: ignore[operator]
        raise InvalidRequest(
            f"The {what} must be a number from {low:g} to {high:g}, not {_shown(value)}."
        )
    return float(value)  # type: ignore[arg-type]


def whole_number(value: object, what: str, low: int, high: int) -> int:
    """Return `value` as an int within [low, high], or raise InvalidRequest."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequest(
            f"The {what} must be a whole number from {low:,} to {high:,}, not {_shown(value)}."
        )
    return value


def _optional(value: object, what: str, low: int, high: int) -> int | None:
    return None if value is None else whole_number(value, what, low, high)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
