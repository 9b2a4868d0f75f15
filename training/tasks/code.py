"""Ten small Python functions, with tests that every answer has to pass."""

import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from random import Random

from training.sample import Sample
from training.tasks.arithmetic import polish
from training.wordings import every_wording, wordings


@dataclass(frozen=True, slots=True)
class Function:
    """A function to write: what it does, its plan, its body and calls with their results."""

    name: str
    parameter: str
    plan: tuple[str, ...]
    body: str
    says: str
    tests: tuple[tuple[tuple[object, ...], object], ...]


FUNCTIONS = (
    Function(
        name="is_palindrome",
        parameter="text",
        plan=("Keep letters and digits, in lower case.", "Compare with the reverse."),
        body="""    letters = [c.lower() for c in text if c.isalnum()]
    return letters == letters[::-1]""",
        says="It ignores case, spaces and punctuation and compares the text with its reverse.",
        tests=((("Anna",), True), (("A man, a plan, a canal: Panama",), True), (("Otter",), False)),
    ),
    Function(
        name="factorial",
        parameter="n",
        plan=("Start with 1.", "Multiply by every number up to n."),
        body="""    result = 1
    for i in range(2, n + 1):
        result *= i
    return result""",
        says="It multiplies all whole numbers from 2 to n; the factorial of 0 is 1.",
        tests=(((0,), 1), ((1,), 1), ((5,), 120), ((7,), 5040)),
    ),
    Function(
        name="fibonacci",
        parameter="n",
        plan=("Keep two neighbours, 0 and 1.", "Move them on n times."),
        body="""    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a""",
        says="It moves a pair of neighbours along the sequence, which starts with 0 and 1.",
        tests=(((0,), 0), ((1,), 1), ((10,), 55), ((20,), 6765)),
    ),
    Function(
        name="count_vowels",
        parameter="text",
        plan=("Go through the letters in lower case.", "Count those in aeiou."),
        body="""    return sum(c in "aeiou" for c in text.lower())""",
        says="It counts the letters a, e, i, o and u in upper or lower case.",
        tests=((("Hello World",), 3), (("xyz",), 0), (("AEIOU",), 5)),
    ),
    Function(
        name="reverse",
        parameter="text",
        plan=("A slice with step -1 goes backwards.",),
        body="    return text[::-1]",
        says="The slice with step -1 reads the text from its end to its start.",
        tests=((("abc",), "cba"), (("",), ""), (("Nemo",), "omeN")),
    ),
    Function(
        name="is_prime",
        parameter="n",
        plan=("Numbers below 2 are not prime.", "Try divisors up to the root of n."),
        body="""    if n < 2:
        return False
    for i in range(2, int(n ** 0.5) + 1):
        if n % i == 0:
            return False
    return True""",
        says="It tries every divisor up to the square root of n.",
        tests=(((0,), False), ((2,), True), ((9,), False), ((97,), True), ((91,), False)),
    ),
    Function(
        name="largest",
        parameter="numbers",
        plan=("Start with the first number.", "Keep whichever is larger."),
        body="""    best = numbers[0]
    for x in numbers:
        if x > best:
            best = x
    return best""",
        says="It goes through the list and keeps the largest number seen so far.",
        tests=((([3, 9, 2],), 9), (([-5, -1, -7],), -1), (([4],), 4)),
    ),
    Function(
        name="total",
        parameter="numbers",
        plan=("Start with 0.", "Add every number."),
        body="""    result = 0
    for x in numbers:
        result += x
    return result""",
        says="It starts with 0 and adds every number; an empty list gives 0.",
        tests=((([1, 2, 3],), 6), (([],), 0), (([-4, 4, 10],), 10)),
    ),
    Function(
        name="gcd",
        parameter="a, b",
        plan=("Euclid: replace the pair by (b, a % b).", "Stop when b is 0."),
        body="""    while b:
        a, b = b, a % b
    return a""",
        says="It is Euclid's algorithm: the remainder replaces the larger number until it is 0.",
        tests=(((12, 18), 6), ((7, 5), 1), ((100, 75), 25), ((9, 0), 9)),
    ),
    Function(
        name="count_words",
        parameter="text",
        plan=("Split the text at white space.", "Count the parts."),
        body="    return len(text.split())",
        says="It splits the text at white space and counts the parts.",
        tests=((("one two three",), 3), (("",), 0), (("  a  b ",), 2)),
    ),
)
SECONDS = 10.0
NAMED = (
    " Call it {name}.",
    " Name it `{name}`.",
    " The name should be {name}.",
    " It should be called {name}.",
)
VERBS = ("do", "my", "get", "run", "calc", "find", "new", "test", "make", "check", "the", "fast")


def code(rng: Random, held_out: bool) -> Sample:
    """Ask for one of the functions."""
    function = rng.choice(FUNCTIONS)
    return _sample("code", function, function.name, _question(rng, held_out, function))


def named_code(rng: Random, held_out: bool) -> Sample:
    """Ask for one of the functions under a name of the user's."""
    function = rng.choice(FUNCTIONS)
    name = f"{rng.choice(VERBS)}_{_noun(rng, held_out)}"
    question = _question(rng, held_out, function).rstrip(".?")
    question = f"{question}.{rng.choice(NAMED).format(name=name)}"
    return _sample("named code", function, name, question)


def _question(rng: Random, held_out: bool, function: Function) -> str:
    question = polish(rng, wordings("code", "ask").pick(rng, held_out))
    return question.format(wants=wordings("code", "wants", function.name).pick(rng, held_out))


def _sample(task: str, function: Function, name: str, question: str) -> Sample:
    source = write(function, name)
    return Sample(
        task=task,
        question=question,
        trace="\n".join([f"Function: {name}({function.parameter})", *function.plan]),
        answer=f"```python\n{source}\n```\n\n{function.says}",
        check=f"{function.name} {name}",
        scenario="coding",
    )


def _noun(rng: Random, held_out: bool) -> str:
    """Draw the end of a name; many words and made-up ones teach to copy, not to remember."""
    if held_out:
        return wordings("code", "nouns").pick(rng, held_out)
    if rng.random() < 0.3:
        return "".join(rng.choices("abcdefghiklmnoprstuw", k=rng.randint(2, 7)))
    return rng.choice(_words())


@cache
def _words() -> tuple[str, ...]:
    """Return the short words of all wordings to train on, but for the nouns held out."""
    found = {
        word
        for kind in every_wording().values()
        for wording in kind.train
        for word in re.findall(r"\b[a-z]{3,8}\b", wording)
    }
    return tuple(sorted(found - set(wordings("code", "nouns").held_out)))


def write(function: Function, name: str) -> str:
    """Return the source of a function under the given name."""
    return f"def {name}({function.parameter}):\n{function.body}"


def passes(source: str, function: Function, name: str) -> bool:
    """Run generated source against the function's tests, in a process that cannot run on."""
    checks = [
        f"assert {name}(*{arguments!r}) == {result!r}" for arguments, result in function.tests
    ]
    try:
        ended = subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-c", "\n".join([source, *checks])],
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, ValueError):  # a null byte in the source is a ValueError
        return False
    return ended.returncode == 0
