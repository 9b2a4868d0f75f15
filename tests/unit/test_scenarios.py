"""Scenarios are data, and every one that ships is sound."""

from pathlib import Path

import pytest

from nano2_app.chat.messages import assistant, system, user
from nano2_app.chat.scenarios import Scenario, load_scenarios
from nano2_app.config import SCENARIOS_DIR
from nano2_app.errors import ConfigurationError, InvalidRequest


def test_the_tabs_come_in_order() -> None:
    assert [scenario.id for scenario in load_scenarios(SCENARIOS_DIR)][:3] == [
        "education",
        "coding",
        "support",
    ]


@pytest.mark.parametrize("scenario", list(load_scenarios(SCENARIOS_DIR)), ids=lambda s: str(s.id))
def test_every_scenario_follows_the_model_card(scenario: Scenario) -> None:
    assert (scenario.thinking.temperature, scenario.thinking.top_p) == (0.6, 0.95)
    assert scenario.skip.temperature == 0
    assert all([scenario.examples, scenario.system_prompt, scenario.description])


def test_a_request_takes_from_the_scenario_what_it_leaves_open() -> None:
    education = load_scenarios(SCENARIOS_DIR)["education"]
    params = education.sampling_params(thinking_budget=None, temperature=None)
    assert params.thinking_budget == education.thinking_budget
    assert (params.temperature, params.top_p) == (0.6, 0.95)
    assert params.seed is not None
    assert education.sampling_params(skip_reasoning=True).temperature == 0
    assert education.sampling_params(thinking_budget=0).temperature == 0
    assert education.sampling_params(skip_reasoning=True, temperature=1, seed=3).temperature == 1


def test_seeds_are_drawn_afresh() -> None:
    education = load_scenarios(SCENARIOS_DIR)["education"]
    assert len({education.sampling_params().seed for _ in range(20)}) > 1


def test_the_conversation_is_system_prompt_history_message() -> None:
    coding = load_scenarios(SCENARIOS_DIR)["coding"]
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert coding.messages("And now?", history) == (
        system(coding.system_prompt),
        user("Hi"),
        assistant("Hello"),
        user("And now?"),
    )


@pytest.mark.parametrize("message", ["", "  \n\t", None, 5])
def test_a_blank_message_is_refused(message: object) -> None:
    with pytest.raises(InvalidRequest):
        load_scenarios(SCENARIOS_DIR)["coding"].messages(message)


@pytest.mark.parametrize("name", ["poetry", "../../etc/passwd", None, ["education"]])
def test_an_unknown_scenario_is_refused_with_the_known_ones(name: object) -> None:
    with pytest.raises(InvalidRequest, match="education, coding, support"):
        load_scenarios(SCENARIOS_DIR)[name]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no scenarios"):
        load_scenarios(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("temperature = 0.6", "temperature = 9"),
        ("title =", "titel ="),
        ("[[examples]]", "[[exampels]]"),
        ('id = "education"', "id ="),
    ],
)
def test_a_malformed_scenario_is_refused_by_file_name(tmp_path: Path, old: str, new: str) -> None:
    text = (SCENARIOS_DIR / "education.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mine\.toml"):
        load_scenarios(tmp_path)
