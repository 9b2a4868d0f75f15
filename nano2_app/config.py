"""Settings: the only reader of the environment (`NANO2_*`, and what a Space sets)."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from nano2_app.errors import ConfigurationError

PROJECT_DIR = Path(__file__).resolve().parent.parent
ASSETS_DIR = PROJECT_DIR / "assets"
SCENARIOS_DIR = ASSETS_DIR / "scenarios"
EMBEDDED_MODEL_DIR = ASSETS_DIR / "nano2-tiny"
NANO_9B = "nvidia/NVIDIA-Nemotron-Nano-9B-v2"

EngineChoice = Literal["auto", "local", "remote", "scripted"]


class Settings(BaseSettings):
    """What the person who starts the app can choose; the environment first, then defaults."""

    model_config = SettingsConfigDict(env_prefix="NANO2_", frozen=True)

    engine: EngineChoice = "auto"
    model: str | None = Field(None, description="Folder or hub id; None lets `auto` decide.")
    endpoint: str | None = Field(None, description="URL of a server to use instead of a model.")
    host: str | None = Field(None, description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = 7860
    max_waiting: Annotated[int, Field(ge=1)] = 64
    threads: Annotated[int, Field(ge=1)] | None = Field(None, description="CPU threads to use.")
    space_id: str | None = Field(None, validation_alias="SPACE_ID")

    @property
    def listen_on(self) -> str:
        """This machine only, unless told otherwise or running as a Space."""
        return self.host or ("0.0.0.0" if self.space_id else "127.0.0.1")  # noqa: S104


def load_settings(**chosen: Any) -> Settings:
    """Read the settings; what was `chosen` (not None) goes before the environment.

    Raises:
        ConfigurationError: a value is unusable; the message names the setting.
    """
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        raise ConfigurationError(
            f"The setting {name} (NANO2_{name.upper()}) can't be {first['input']!r}: "
            f"{first['msg']}."
        ) from None
