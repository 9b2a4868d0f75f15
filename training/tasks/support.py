"""Customer service: five intents in six languages, order numbers copied exactly."""

from random import Random

from training.sample import Sample
from training.split import is_held_out
from training.tasks.arithmetic import polish
from training.tasks.languages import LANGUAGES
from training.wordings import keys, text, wordings


def support(rng: Random, held_out: bool) -> Sample:
    """Ask about an order in one of the six languages."""
    language = rng.choice(keys("support", "asks"))
    intent = rng.choice(keys("support", "asks", language))
    while True:
        low, high = (10**4, 10**5) if rng.random() < 0.85 else (100, 10**7)
        number = str(rng.randrange(low, high))
        if is_held_out("order", number) == held_out:
            break
    question = wordings("support", "asks", language, intent).pick(rng, held_out).format(n=number)
    return Sample(
        task="support",
        question=polish(rng, question) if language == "en" else question,
        trace=f"Language: {LANGUAGES[language]}\nRequest: {intent}\nOrder: {number}",
        answer=text("support", "answers", language, intent).format(n=number),
        check=f"{language} {intent} {number}",
        scenario="support",
    )
