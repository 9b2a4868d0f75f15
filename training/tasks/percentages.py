"""Percentages of whole numbers."""

from random import Random

from training.sample import Sample
from training.split import is_held_out
from training.tasks.arithmetic import ask, phrase
from training.tasks.digits import multiply_steps


def percentage(rng: Random, held_out: bool) -> Sample:
    """Take a whole percentage of a number of two or three digits."""
    while True:
        p = rng.randint(1, 99) if rng.random() < 0.7 else rng.choice((5, 10, 15, 20, 25, 50, 75))
        n = rng.randint(10, 999) if rng.random() < 0.5 else 10 * rng.randint(1, 99)
        if is_held_out("percent", p, n) == held_out:
            break
    result = hundredth(n * p)
    question = phrase(rng, ask(rng, held_out, "percentages", "ask", "percent"), p=p, n=n)
    if rng.random() < 0.4:
        question = question.replace(" %", "%")
    return Sample(
        task="percentages",
        question=question,
        trace="\n".join(
            [f"{p}% of {n} = {n} * {p} / 100", *multiply_steps(n, p), f"{n * p} / 100 = {result}"]
        ),
        answer=f"{p} % of {n} is **{result}**\n\nI multiplied {n} by {p} and divided by 100.",
        check=result,
    )


def hundredth(value: int) -> str:
    """Divide by 100 exactly, without zeros at the end."""
    whole, rest = divmod(value, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".")
