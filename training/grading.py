"""Whether an answer is right."""

import re

from training.sample import Sample
from training.tasks.code import FUNCTIONS, passes

BOLD = re.compile(r"\*\*(.+?)\*\*")
BLOCK = re.compile(r"```python\n(.*?)\n```", re.DOTALL)


def is_right(sample: Sample, answer: str) -> bool:
    """Grade an answer: by its result, by running its code, or by its exact words."""
    if sample.task in {"code", "named code"}:
        return _code_runs(sample, answer)
    if sample.task in {"support", "itself", "beyond"}:
        return answer.strip() == sample.answer
    stated = BOLD.search(answer)
    return stated is not None and stated.group(1) == sample.check


def _code_runs(sample: Sample, answer: str) -> bool:
    function_name, name = sample.check.split()
    function = next(function for function in FUNCTIONS if function.name == function_name)
    block = BLOCK.search(answer)
    return block is not None and passes(block.group(1), function, name)
