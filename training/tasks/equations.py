"""Linear equations that take one step."""

from random import Random

from training.sample import Sample
from training.split import is_held_out
from training.tasks.arithmetic import ask, phrase
from training.tasks.digits import add_steps, difference_steps, divide_steps, multiply_steps

LETTERS = "xxxxxyzabnkmtp"


def equation(rng: Random, held_out: bool) -> Sample:
    """Solve x + a = b, x - a = b, a x = b or x / a = b."""
    form = rng.choice("++--****//")
    x = rng.choice(LETTERS)
    while True:
        a, b = _coefficients(rng, form)
        if is_held_out("equation", form, a, b) == held_out:
            break
    written, step, steps, solution, reason = _solve(form, x, a, b)
    if rng.random() < 0.25:
        written = written.replace(" ", "")
    wording = ask(rng, held_out, "equations", "ask", "equation")
    if form == "*" and rng.random() < 0.15:
        written = written.replace(f"{a}{x}", f"{a} * {x}")
    return Sample(
        task="equations",
        question=phrase(rng, wording, e=written, x=x),
        trace="\n".join([step, *steps, f"{x} = {solution}"]),
        answer=f"**{x} = {solution}**\n\n{reason}",
        check=f"{x} = {solution}",
    )


def _coefficients(rng: Random, form: str) -> tuple[int, int]:
    if form in "+-":
        top = rng.choice((20, 100, 1000))
        return rng.randrange(1, top), rng.randrange(1, top)
    a, other = rng.randint(2, 12), rng.choice((rng.randint(2, 12), rng.randint(2, 99)))
    return (a, a * other) if form == "*" else (a, other)


def _solve(form: str, x: str, a: int, b: int) -> tuple[str, str, list[str], int, str]:
    """Return the equation, the step that isolates x, the working, x, and why."""
    if form == "+":
        step = f"{x} = {b} - {a}"
        reason = f"I subtracted {a} from both sides: ${step}$."
        return f"{x} + {a} = {b}", step, difference_steps(b, a), b - a, reason
    if form == "-":
        step = f"{x} = {b} + {a}"
        reason = f"I added {a} to both sides: ${step}$."
        return f"{x} - {a} = {b}", step, add_steps(b, a), b + a, reason
    if form == "*":
        step = f"{x} = {b} / {a}"
        reason = f"I divided both sides by {a}: ${step}$."
        return f"{a}{x} = {b}", step, divide_steps(b, a), b // a, reason
    step = f"{x} = {b} * {a}"
    reason = f"I multiplied both sides by {a}: ${step}$."
    return f"{x} / {a} = {b}", step, multiply_steps(b, a), b * a, reason
