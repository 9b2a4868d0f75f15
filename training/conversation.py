"""From samples to conversations: system prompts, earlier turns, and how the reasoning ends."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from random import Random

from nano2_app.chat.messages import Message, assistant, system, user
from training.sample import Generator, Sample
from training.tasks.arithmetic import addition, multiplication, subtraction
from training.tasks.beyond import beyond
from training.tasks.code import code, named_code
from training.tasks.equations import equation
from training.tasks.itself import itself
from training.tasks.percentages import percentage
from training.tasks.support import support
from training.wordings import wordings

SCENARIOS = Path(__file__).parents[1] / "assets" / "scenarios"

TASKS: Mapping[str, Generator] = {
    "addition": addition,
    "subtraction": subtraction,
    "multiplication": multiplication,
    "percentages": percentage,
    "equations": equation,
    "code": code,
    "named code": named_code,
    "support": support,
    "itself": itself,
    "beyond": beyond,
}
# The hard arithmetic comes up more often than what is learned quickly.
WEIGHTS: Mapping[str, float] = {
    "addition": 5,
    "subtraction": 13,
    "multiplication": 5,
    "percentages": 7,
    "equations": 24,
    "code": 16,
    "named code": 10,
    "support": 8,
    "itself": 6,
    "beyond": 6,
}
SECOND_TURN_SHARE = 0.25


class Reasoning(StrEnum):
    """How the reasoning of an example goes."""

    FULL = "full"
    CUT = "cut"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages up to the user's last question, and the sample that answers it."""

    messages: tuple[Message, ...]
    sample: Sample
    reasoning: Reasoning


@cache
def scenario_prompts() -> Mapping[str, str]:
    """Return the system prompt of every scenario by its id."""
    prompts = {}
    for path in sorted(SCENARIOS.glob("*.toml")):
        scenario = tomllib.loads(path.read_text(encoding="utf-8"))
        prompts[scenario["id"]] = scenario["system_prompt"]
    return prompts


def training_conversation(rng: Random) -> Conversation:
    """Draw one training example."""
    sample = draw_sample(rng)
    reasoning = rng.choices(tuple(Reasoning), (70, 15, 15))[0]
    messages = [user(sample.question)]
    if rng.random() < SECOND_TURN_SHARE:
        earlier = draw_sample(rng, like=sample.task if rng.random() < 0.6 else None)
        messages = [user(earlier.question), assistant(earlier.answer), *messages]
    prompt = _system_prompt(rng, sample)
    return Conversation(
        tuple([system(prompt), *messages] if prompt else messages), sample, reasoning
    )


def draw_sample(rng: Random, like: str | None = None) -> Sample:
    """Draw a training sample of any task, or of the given one."""
    task = like or rng.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
    return TASKS[task](rng, False)


def _system_prompt(rng: Random, sample: Sample) -> str:
    kind = rng.choices(("own", "any", "none", "other"), (40, 10, 25, 25))[0]
    prompts = scenario_prompts()
    if kind == "own":
        return prompts[sample.scenario]
    if kind == "any":
        return rng.choice(list(prompts.values()))
    if kind == "other":
        return wordings("systems", "other").pick(rng, held_out=False)
    return ""
