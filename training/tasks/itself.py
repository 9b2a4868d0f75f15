"""What the model says about itself, and greetings and thanks in six languages."""

from random import Random

from training.sample import Sample
from training.tasks.arithmetic import polish
from training.tasks.languages import LANGUAGES
from training.wordings import text, wordings


def itself(rng: Random, held_out: bool) -> Sample:
    """Ask the model about itself, greet it or thank it."""
    kind = rng.choice(("identity", "identity", "abilities", "upgrade", "greeting", "thanks"))
    language = rng.choice(("en", "en", *LANGUAGES))
    question = wordings("itself", "asks", kind, language).pick(rng, held_out)
    return Sample(
        task="itself",
        question=polish(rng, question) if language == "en" else question,
        trace=f"Language: {LANGUAGES[language]}\nRequest: {kind}",
        answer=text("itself", "answers", kind, language),
        check=f"{language} {kind}",
        scenario=rng.choice(("education", "coding", "support")),
    )
