"""Scenarios: what a tab of the app is for, as data (`assets/scenarios/*.toml`)."""

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nano2_app.chat.messages import Message, check_text, parse_history, system, user
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.errors import ConfigurationError, InvalidRequest, NanoError


@dataclass(frozen=True, slots=True)
class LatexDelimiter:
    """What opens and closes a formula, and whether it stands on a line of its own."""

    left: str
    right: str
    display: bool


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling of one mode; what a request leaves open is taken from here."""

    temperature: float
    top_p: float = 1.0
    top_k: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One use of the model, with everything a request needs besides the person's words.

    Attributes:
        id: short name used by the API and the command line.
        position: place among the tabs.
        title: name shown to people.
        description: one line on what it is for.
        system_prompt: instruction to the model.
        thinking_budget: default budget, tokens.
        placeholder: hint in the empty input box.
        thinking: sampling with reasoning on.
        skip: sampling with reasoning off.
        latex_delimiters: what counts as a formula in answers.
        examples: questions to start from.
    """

    id: str
    position: int
    title: str
    description: str
    system_prompt: str
    thinking_budget: int
    placeholder: str
    thinking: Sampling
    skip: Sampling
    latex_delimiters: tuple[LatexDelimiter, ...]
    examples: tuple[str, ...]

    def messages(self, message: object, history: object = None) -> tuple[Message, ...]:
        """Build the conversation for one more message of the user.

        Raises:
            InvalidRequest: the message is blank or no text, or the history is malformed.
        """
        text = check_text(message, "The message")
        if not text.strip():
            raise InvalidRequest("The message is empty; write a question and send it.")
        return (system(self.system_prompt), *parse_history(history), user(text))

    def sampling_params(self, **chosen: Any) -> SamplingParams:
        """Build sampling parameters: what was `chosen`, else this scenario's; a seed is drawn.

        An entry of None means "not chosen".

        Raises:
            InvalidRequest: a value is unusable.
        """
        values = {name: value for name, value in chosen.items() if value is not None}
        values.setdefault("thinking_budget", self.thinking_budget)
        values.setdefault("seed", random.randint(0, 0xFFFFFFFF))
        sampling = self.thinking if SamplingParams(**values).thinking else self.skip
        defaults = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
        }
        return SamplingParams(**(defaults | values))


@dataclass(frozen=True)
class Scenarios:
    """All scenarios, in the order of their tabs."""

    by_id: Mapping[str, Scenario] = field(default_factory=lambda: MappingProxyType({}))

    def __iter__(self) -> Iterator[Scenario]:
        return iter(self.by_id.values())

    def __getitem__(self, scenario_id: object) -> Scenario:
        """Find a scenario by its id.

        Raises:
            InvalidRequest: there is none; the message lists those there are.
        """
        if not isinstance(scenario_id, str) or scenario_id not in self.by_id:
            known = ", ".join(self.by_id)
            shown = repr(scenario_id)[:40]
            raise InvalidRequest(f"There is no scenario {shown}; choose one of: {known}.")
        return self.by_id[scenario_id]


def load_scenarios(folder: Path) -> Scenarios:
    """Read every scenario in a folder.

    Raises:
        ConfigurationError: none is there, or a file is malformed; the message names it.
    """
    scenarios = sorted(map(_load, folder.glob("*.toml")), key=lambda scenario: scenario.position)
    if not scenarios:
        raise ConfigurationError(f"There are no scenarios (*.toml) in {folder}.")
    return Scenarios(MappingProxyType({scenario.id: scenario for scenario in scenarios}))


def _load(path: Path) -> Scenario:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        sampling: Mapping[str, Mapping[str, float]] = data.pop("sampling")
        scenario = Scenario(
            thinking=Sampling(**sampling["thinking"]),  # type: ignore[arg-type]
            skip=Sampling(**sampling["skip"]),  # type: ignore[arg-type]
            latex_delimiters=tuple(LatexDelimiter(**d) for d in data.pop("latex_delimiters")),
            examples=tuple(example["text"] for example in _list(data.pop("examples"))),
            **data,
        )
        scenario.sampling_params()
        scenario.sampling_params(skip_reasoning=True)
    except (OSError, KeyError, TypeError, ValueError, NanoError) as error:
        raise ConfigurationError(f"The scenario file {path.name} is malformed: {error}") from error
    return scenario


def _list(value: Any) -> Sequence[Mapping[str, str]]:
    return list(value)
