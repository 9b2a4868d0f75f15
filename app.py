"""Entry point of a Hugging Face Space: settings -> engine -> page."""

import sys

from nano2_app.chat.scenarios import load_scenarios
from nano2_app.config import SCENARIOS_DIR, load_settings
from nano2_app.engine.factory import create_engine
from nano2_app.errors import NanoError
from nano2_app.ui.launch import serve


def main() -> None:
    """Start the app with the settings of the environment."""
    try:
        settings = load_settings()
        serve(create_engine(settings), load_scenarios(SCENARIOS_DIR), settings)
    except NanoError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
