"""The model that ships: what its card promises at the least, through the engine."""

from collections.abc import Iterator

import pytest

from nano2_app.chat.events import ThinkingEnd
from nano2_app.chat.scenarios import Scenario, load_scenarios
from nano2_app.chat.transcript import Transcript
from nano2_app.config import EMBEDDED_MODEL_DIR, SCENARIOS_DIR
from nano2_app.engine.base import GenerationRequest, ModelKind
from nano2_app.engine.local.loader import load_engine
from nano2_app.engine.local.local_engine import LocalEngine
from tests.engine.generation import transcribe


@pytest.fixture(scope="module")
def embedded() -> Iterator[LocalEngine]:
    engine = load_engine(str(EMBEDDED_MODEL_DIR), device="cpu")
    yield engine
    engine.close()


@pytest.fixture
def education() -> Scenario:
    return load_scenarios(SCENARIOS_DIR)["education"]


async def ask(engine: LocalEngine, scenario: Scenario, text: str, **params: object) -> Transcript:
    chosen = scenario.sampling_params(**({"temperature": 0, "seed": 0} | params))
    return await transcribe(engine, GenerationRequest(scenario.messages(text), chosen))


async def test_it_reasons_and_answers(embedded: LocalEngine, education: Scenario) -> None:
    done = await ask(embedded, education, "What is 347 + 586?")
    assert "933" in done.answer
    assert done.reasoning
    assert done.thinking_end is ThinkingEnd.MODEL


async def test_a_small_budget_ends_its_reasoning_and_it_still_answers(
    embedded: LocalEngine, education: Scenario
) -> None:
    done = await ask(embedded, education, "What is 347 + 586?", thinking_budget=8)
    assert done.thinking_end is ThinkingEnd.BUDGET
    assert 8 <= done.reasoning_tokens <= 24
    assert "347 + 586" in done.answer


async def test_it_answers_directly_on_request(embedded: LocalEngine, education: Scenario) -> None:
    done = await ask(embedded, education, "What is 347 + 586?", skip_reasoning=True)
    assert done.reasoning == ""
    assert "347 + 586" in done.answer


async def test_it_is_named_for_what_it_is(embedded: LocalEngine) -> None:
    card = embedded.status().model
    assert card.kind is ModelKind.EMBEDDED
    assert "none of NVIDIA's weights" in card.description


def test_it_is_small_enough_to_ship() -> None:
    assert sum(file.stat().st_size for file in EMBEDDED_MODEL_DIR.iterdir()) < 16 * 2**20
