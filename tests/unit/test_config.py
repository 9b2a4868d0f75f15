"""Settings come from the environment, what is chosen goes first, and bad ones are named."""

import pytest

from nano2_app.config import EMBEDDED_MODEL_DIR, load_settings
from nano2_app.engine.factory import create_engine
from nano2_app.engine.scripted import ScriptedEngine
from nano2_app.errors import ConfigurationError


def test_it_listens_on_this_machine_only_unless_it_is_a_space(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert load_settings().listen_on == "127.0.0.1"
    assert load_settings(host="0.0.0.0").listen_on == "0.0.0.0"  # noqa: S104
    monkeypatch.setenv("SPACE_ID", "someone/nano2")
    assert load_settings().listen_on == "0.0.0.0"  # noqa: S104


def test_what_is_chosen_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANO2_PORT", "8000")
    assert load_settings(port=None).port == 8000
    assert load_settings(port=9000).port == 9000


def test_an_unusable_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANO2_PORT", "many")
    with pytest.raises(ConfigurationError, match=r"port \(NANO2_PORT\) can't be 'many'"):
        load_settings()


def test_the_scripted_engine_needs_no_model() -> None:
    assert isinstance(create_engine(load_settings(engine="scripted")), ScriptedEngine)


@pytest.mark.parametrize("values", [{"engine": "remote"}, {"endpoint": "http://127.0.0.1:1"}])
def test_an_endpoint_is_refused_as_long_as_it_can_not_be_used(values: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="endpoint"):
        create_engine(load_settings(**values))


def test_the_embedded_model_ships_with_the_app() -> None:
    assert EMBEDDED_MODEL_DIR.parent.is_dir()
