"""The `serve` command."""

from nano2_app.api.routes import routes
from nano2_app.chat.scenarios import load_scenarios
from nano2_app.config import SCENARIOS_DIR, Settings
from nano2_app.engine.factory import create_engine
from nano2_app.ui.launch import free_port, serve


def serve_app(settings: Settings) -> None:
    """Load the model, start the app and stay until it is stopped.

    Raises:
        NanoError: the model can't be loaded, or the port is taken.
    """
    free_port(settings)  # a taken port should not show up only after minutes of loading
    scenarios = load_scenarios(SCENARIOS_DIR)
    engine = create_engine(settings)
    serve(engine, scenarios, settings, routes(engine))
