"""From settings to an engine."""

from nano2_app.config import EMBEDDED_MODEL_DIR, NANO_9B, Settings
from nano2_app.engine.base import Engine
from nano2_app.engine.scripted import ScriptedEngine
from nano2_app.errors import ConfigurationError


def create_engine(settings: Settings) -> Engine:
    """Build the engine that the settings ask for; may take as long as loading the model.

    `auto` is the 9B on a CUDA GPU that has room for it, and the embedded model otherwise.

    Raises:
        ModelUnavailable: the model can't be loaded.
        ConfigurationError: the settings ask for what is not there.
    """
    if settings.engine == "scripted":
        return ScriptedEngine(max_waiting=settings.max_waiting)
    if settings.engine == "remote" or settings.endpoint:
        raise ConfigurationError(
            "This version can't use a server's endpoint yet; leave out --endpoint and --engine "
            "remote to run a model in this process."
        )
    # Loading torch takes seconds; an app without a model does not pay for it.
    from nano2_app.engine.local.loader import has_room_for_9b, load_engine  # noqa: PLC0415

    model = settings.model
    if model is None:
        model = NANO_9B if has_room_for_9b() else str(EMBEDDED_MODEL_DIR)
    return load_engine(model, max_waiting=settings.max_waiting, threads=settings.threads)
