"""Engines for the contract: each runs without weights or a network."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nano2_app.engine.base import Engine
from nano2_app.engine.local.loader import load_engine
from nano2_app.engine.local.local_engine import LocalEngine
from nano2_app.engine.scripted import Script, ScriptedEngine
from tests.engine.random_model import save_random_model

CONTEXT_LENGTH = 4096

EngineMaker = Callable[..., Engine]


def long_script(_: object) -> Script:
    """Thinks and answers for hundreds of tokens, with a line break now and then."""
    line = "one two three four five six seven eight nine ten\n"
    return Script(reasoning=line * 60, answer=line * 20)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random-model")
    return save_random_model(folder, context_length=CONTEXT_LENGTH)


@pytest.fixture
def local_engine(model_dir: Path) -> Iterator[LocalEngine]:
    engine = load_engine(str(model_dir), device="cpu")
    yield engine
    engine.close()


@pytest.fixture(params=["scripted", "local"])
def make_engine(request: pytest.FixtureRequest, model_dir: Path) -> Iterator[EngineMaker]:
    """Build engines, closed at the end of the test; with one slot, so that others wait."""
    engines: list[Engine] = []

    def make(*, slots: int = 1, max_waiting: int = 8) -> Engine:
        engine: Engine
        if request.param == "scripted":
            engine = ScriptedEngine(
                long_script,
                token_delay_s=0.001,
                max_running=slots,
                max_waiting=max_waiting,
                context_length=CONTEXT_LENGTH,
            )
        else:
            engine = load_engine(str(model_dir), device="cpu", slots=slots, max_waiting=max_waiting)
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(make_engine: EngineMaker) -> Engine:
    return make_engine()
