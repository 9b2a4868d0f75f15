"""When the reasoning has to end.

The rule (NVIDIA's model card and technical report, section 3.4): from the n-th reasoning token on
the trace ends at the next line break; if none comes within the grace, it is cut.
"""

from nano2_app.chat.events import ThinkingEnd
from nano2_app.chat.sampling_params import check_thinking_budget, default_grace


class ThinkingBudget:
    """Counts the reasoning tokens of one generation and says when, and why, to end the trace.

    So `tokens <= budget + grace` always, unless the budget is lowered below what is already spent;
    then the trace ends as soon as the rule, with the new budget, allows.

    Args:
        budget: tokens, or None for no budget.
        grace: tokens past the budget, or None for the default share of it.
        limit: tokens that reasoning may use at most: the room less the answer's reserve.
    """

    def __init__(self, budget: int | None, *, grace: int | None = None, limit: int) -> None:
        self.budget = budget
        self.tokens = 0
        self._grace = grace
        self._limit = limit
        self._at_line_break = False
        self._ended_by_user = False

    def count(self, text: str) -> None:
        """Count one sampled reasoning token, given the text it added."""
        self.tokens += 1
        self._at_line_break = "\n" in text

    def change(self, budget: int | None) -> None:
        """Set another budget while the model thinks."""
        self.budget = check_thinking_budget(budget)

    def end(self) -> None:
        """End the trace at the next chance: the person wants the answer now."""
        self._ended_by_user = True

    @property
    def due(self) -> ThinkingEnd | None:
        """Why the trace has to end now, or None if it may go on."""
        if self._ended_by_user:
            return ThinkingEnd.USER
        if self._over_budget():
            return ThinkingEnd.BUDGET
        return ThinkingEnd.MAX_TOKENS if self.tokens >= self._limit else None

    def _over_budget(self) -> bool:
        if self.budget is None or self.tokens < self.budget:
            return False
        grace = default_grace(self.budget) if self._grace is None else self._grace
        # A budget lowered to nothing is "skip": there is no line to wait for.
        return self._at_line_break or self.budget == 0 or self.tokens >= self.budget + grace
