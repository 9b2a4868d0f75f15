"""The values a task generator hands on."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Sample:
    """A question with its worked-out trace and its answer.

    `check` is what an answer must contain to count as right, and its meaning is the task's.
    """

    task: str
    question: str
    trace: str
    answer: str
    check: str
    scenario: str = "education"


Generator = Callable[[Random, bool], Sample]
"""Draws a sample from the training side (False) or the held-out side (True) of the split."""
