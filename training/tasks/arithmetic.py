"""Addition, subtraction, multiplication: wordings, traces and answers."""

from random import Random

from training.sample import Sample
from training.split import is_held_out
from training.tasks.digits import add_steps, difference_steps, multiply_steps
from training.wordings import texts, wordings

IMPERATIVES = (
    "Add",
    "Subtract",
    "Multiply",
    "Calculate",
    "Compute",
    "Find",
    "Solve",
    "Work out",
    "Tell",
    "Give",
    "Write",
    "Explain",
    "Show",
    "Evaluate",
    "Create",
    "Implement",
    "Describe",
    "Make",
)
OPENINGS = ("Hi, ", "Hello! ", "ok, ", "Quick question: ", "Hey, ", "So, ", "Now: ", "Next: ")
OPENINGS_ASKING = (
    "please ",
    "Please ",
    "Can you ",
    "Can you please ",
    "Would you ",
    "I want you to ",
    "Now ",
    "Hi, please ",
    "Could you please ",
    "Let's ",
)
ENDINGS = (
    " Thanks!",
    " please",
    ", please",
    " Show the steps.",
    " Explain it.",
    " thanks",
    " Step by step, please.",
    "!",
    " Quickly.",
    " I need it for school.",
    " ...",
)
TIMES_SIGNS = ("*", "*", "×", "x", "·")


def numbers(rng: Random, held_out: bool, task: str, digits: tuple[int, ...]) -> tuple[int, int]:
    """Draw two numbers from one side of the split, their lengths from `digits`."""
    while True:
        a, b = (_number(rng, rng.choice(digits)) for _ in range(2))
        if is_held_out(task, a, b) == held_out:
            return a, b


def _number(rng: Random, digits: int) -> int:
    value = rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
    # Zeros and round numbers are rare among random digits and common in real questions.
    return value // 10 * 10 if digits > 1 and rng.random() < 0.12 else value


def ask(rng: Random, held_out: bool, file: str, table: str, value: str) -> str:
    """Draw a wording: a whole one, or on the training side also a frame with a value's name."""
    if held_out or rng.random() < 0.5:
        return wordings(file, table).pick(rng, held_out)
    frame = rng.choice(texts("frames", "frames"))
    return frame.replace("{v}", rng.choice(texts("frames", "values", value)))


def phrase(rng: Random, wording: str, **values: object) -> str:
    """Fill a wording in, sometimes without spaces round its operators or in lower case."""
    tight = rng.random() < 0.25
    if tight:
        for sign in "+-*=":
            wording = wording.replace(f"}} {sign} ", f"}}{sign}")
    return polish(rng, wording).format(**values)


def polish(rng: Random, text: str) -> str:
    """Vary what people vary: politeness, a capital at the start, the punctuation at the end."""
    if rng.random() < 0.2 and text[-1] in ".?" and not text.endswith("= ?"):
        text = text[:-1].rstrip()
    if rng.random() < 0.12:
        opening = rng.choice(OPENINGS_ASKING if text.startswith(IMPERATIVES) else OPENINGS)
        text = opening + text[0].lower() + text[1:]
    elif rng.random() < 0.2:
        text = text[0].lower() + text[1:]
    if rng.random() < 0.1:
        text += rng.choice(ENDINGS)
    return text


def addition(rng: Random, held_out: bool) -> Sample:
    """Add two numbers of one to four digits."""
    a, b = numbers(rng, held_out, "add", (1, 2, 3, 3, 4, 4))
    question = phrase(rng, ask(rng, held_out, "arithmetic", "add", "add"), a=a, b=b)
    return Sample(
        task="addition",
        question=question,
        trace="\n".join([f"{a} + {b}", *add_steps(a, b)]),
        answer=f"{a} + {b} = **{a + b}**\n\nI added the digits from right to left, with carries.",
        check=str(a + b),
    )


def subtraction(rng: Random, held_out: bool) -> Sample:
    """Subtract a number of up to four digits from another; the result may be negative."""
    a, b = numbers(rng, held_out, "subtract", (1, 2, 3, 3, 4, 4))
    if a < b and rng.random() < 0.4 and is_held_out("subtract", b, a) == held_out:
        a, b = b, a
    question = phrase(rng, ask(rng, held_out, "arithmetic", "subtract", "subtract"), a=a, b=b)
    reason = (
        f"{b} is larger than {a}, so the result is negative."
        if a < b
        else "I subtracted the digits from right to left, with borrowing."
    )
    return Sample(
        task="subtraction",
        question=question,
        trace="\n".join([f"{a} - {b}", *difference_steps(a, b)]),
        answer=f"{a} - {b} = **{a - b}**\n\n{reason}",
        check=str(a - b),
    )


def multiplication(rng: Random, held_out: bool) -> Sample:
    """Multiply two numbers of one or two digits."""
    while True:
        a, b = numbers(rng, held_out, "multiply", (1, 2, 2, 2))
        if a and b:
            break
    wording = ask(rng, held_out, "arithmetic", "multiply", "multiply")
    question = phrase(rng, wording, a=a, b=b).replace("*", rng.choice(TIMES_SIGNS))
    return Sample(
        task="multiplication",
        question=question,
        trace="\n".join([f"{a} * {b}", *multiply_steps(a, b)]),
        answer=f"{a} × {b} = **{a * b}**\n\n{_rows(a, b)}",
        check=str(a * b),
    )


def _rows(a: int, b: int) -> str:
    if b < 10 or b % 10 == 0:
        return f"I multiplied each digit of {a} by {b}."
    return f"That is {a} × {b % 10} plus {a} × {b // 10 * 10}."
