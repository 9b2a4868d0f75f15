"""Everything else: the model says honestly that it is beyond it, in the user's language."""

from random import Random

from training.sample import Sample
from training.tasks.arithmetic import polish
from training.tasks.languages import LANGUAGES
from training.wordings import text, wordings


def beyond(rng: Random, held_out: bool) -> Sample:
    """Ask for something outside the model's tasks."""
    kind = rng.choices(
        ("topic", "maths", "code", "injection", "gibberish", "paste"), (50, 20, 12, 6, 7, 5)
    )[0]
    language = rng.choice(("en", *LANGUAGES)) if kind == "topic" else "en"
    values: dict[str, object] = {
        "t": _topic(rng, language, held_out),
        "t2": _topic(rng, language, held_out),
        "p": rng.randint(1, 99),
        "a": rng.randint(2, 40),
        "b": rng.randint(2, 40),
        "l": rng.randint(10**4, 10 ** rng.randint(5, 8)),
        "m": rng.randint(10**4, 10**6),
    }
    path = {"topic": ("asks", language), "maths": ("maths",), "injection": ("injections",)}
    if kind == "gibberish":
        question = _gibberish(rng)
    elif kind == "paste":
        question = (
            " ".join(rng.choices(text("beyond", "scraps", "words").split(), k=rng.randint(12, 70)))
            + "."
        )
    elif kind == "code":
        question = (
            wordings("beyond", "code_asks")
            .pick(rng, held_out)
            .format(w=wordings("beyond", "code").pick(rng, held_out))
        )
    else:
        question = wordings("beyond", *path[kind]).pick(rng, held_out).format(**values)
    if language == "en" and kind in {"topic", "maths", "code"}:
        question = polish(rng, question)
    return Sample(
        task="beyond",
        question=question,
        trace=f"Language: {LANGUAGES[language]}\nRequest: beyond me",
        answer=text("beyond", "answers", language),
        check=language,
        scenario=rng.choice(("education", "coding", "support")),
    )


def _topic(rng: Random, language: str, held_out: bool) -> str:
    """Draw a topic; some are made-up words, as any word can turn up in a question."""
    if rng.random() < 0.7 or language == "ja":
        return wordings("beyond", "topics", language).pick(rng, held_out)
    vowels, consonants = "aeiou", "bcdfghjklmnprstvwz"
    word = "".join(
        rng.choice(consonants) + rng.choice(vowels) + rng.choice(("", "", "n", "r", "s", "l"))
        for _ in range(rng.randint(1, 4))
    )
    other = wordings("beyond", "topics", "en").pick(rng, held_out)
    kind = rng.randrange(3) if language == "en" else 0
    return (word, f"the {word}", f"{word.capitalize()} {other}")[kind]


def _gibberish(rng: Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        letters = "abcdefghijklmnopqrstuvwxyz    "
        typed = "".join(rng.choices(letters, k=rng.randint(3, 30))).strip()
        return typed or "?"
    if kind == 1:
        return rng.choice(text("beyond", "scraps", "fragments").split())
    if kind == 2:
        return "".join(rng.choices("!?#$%&/()=+*-_.:;,<>|", k=rng.randint(2, 12)))
    return " ".join(rng.choices(text("beyond", "scraps", "words").split(), k=rng.randint(1, 6)))
