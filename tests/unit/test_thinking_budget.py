"""The rule by which reasoning ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nano2_app.chat.events import ThinkingEnd
from nano2_app.chat.sampling_params import default_grace
from nano2_app.chat.thinking_budget import ThinkingBudget
from nano2_app.errors import InvalidRequest

NO_LIMIT = 10**9


def spend(budget: ThinkingBudget, texts: list[str]) -> ThinkingEnd | None:
    """Count tokens until the trace is due to end."""
    for text in texts:
        budget.count(text)
        if budget.due:
            break
    return budget.due


def test_the_trace_ends_at_the_first_line_break_from_the_budget_on() -> None:
    budget = ThinkingBudget(5, limit=NO_LIMIT)
    assert spend(budget, ["a", "\n", "b", "c", "d", "e", ".\n\n", "f"]) is ThinkingEnd.BUDGET
    assert budget.tokens == 7


def test_a_line_break_at_the_budget_itself_ends_it() -> None:
    budget = ThinkingBudget(2, limit=NO_LIMIT)
    assert spend(budget, ["a", "\n", "b"]) is ThinkingEnd.BUDGET
    assert budget.tokens == 2


def test_without_a_line_break_it_is_cut_after_the_grace() -> None:
    budget = ThinkingBudget(100, limit=NO_LIMIT)
    assert spend(budget, ["a"] * 1000) is ThinkingEnd.BUDGET
    assert budget.tokens == 116


def test_no_grace_cuts_hard() -> None:
    budget = ThinkingBudget(100, grace=0, limit=NO_LIMIT)
    spend(budget, ["a"] * 1000)
    assert budget.tokens == 100


@pytest.mark.parametrize(("budget", "grace"), [(1, 16), (160, 16), (1000, 100), (100_000, 500)])
def test_the_grace_is_a_tenth_within_bounds(budget: int, grace: int) -> None:
    assert default_grace(budget) == grace


@given(
    st.integers(1, 200),
    st.none() | st.integers(0, 40),
    st.lists(st.sampled_from(["a", "\n"]), min_size=400, max_size=400),
)
def test_reasoning_never_exceeds_budget_and_grace(
    n: int, grace: int | None, texts: list[str]
) -> None:
    budget = ThinkingBudget(n, grace=grace, limit=NO_LIMIT)
    assert spend(budget, texts) is ThinkingEnd.BUDGET
    assert n <= budget.tokens <= n + (default_grace(n) if grace is None else grace)


def test_without_a_budget_only_the_room_ends_it() -> None:
    budget = ThinkingBudget(None, limit=50)
    assert spend(budget, ["\n"] * 100) is ThinkingEnd.MAX_TOKENS
    assert budget.tokens == 50


def test_the_person_ends_it_at_the_next_token() -> None:
    budget = ThinkingBudget(None, limit=NO_LIMIT)
    budget.count("a")
    assert budget.due is None
    budget.end()
    assert budget.due is ThinkingEnd.USER


def test_a_budget_lowered_below_what_is_spent_ends_it_by_the_same_rule() -> None:
    budget = ThinkingBudget(1000, limit=NO_LIMIT)
    spend(budget, ["a"] * 50)
    budget.change(45)  # 45 + 16 is not reached yet: wait for the line break
    assert budget.due is None
    budget.change(20)
    assert budget.due is ThinkingEnd.BUDGET


def test_a_budget_changed_to_nothing_ends_it_at_once() -> None:
    budget = ThinkingBudget(1000, limit=NO_LIMIT)
    budget.count("a")
    budget.change(0)
    assert budget.due is ThinkingEnd.BUDGET


def test_a_budget_can_be_raised_and_lifted() -> None:
    budget = ThinkingBudget(1, limit=NO_LIMIT)
    budget.change(5)
    budget.count("\n")
    assert budget.due is None
    budget.change(None)
    assert spend(budget, ["\n"] * 100) is None


def test_an_unusable_budget_changes_nothing() -> None:
    budget = ThinkingBudget(7, limit=NO_LIMIT)
    with pytest.raises(InvalidRequest, match="thinking budget"):
        budget.change(-1)
    assert budget.budget == 7
