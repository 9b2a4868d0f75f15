"""Start the app; the entry point of a Hugging Face Space."""

import sys

from nano2_app.cli.serve import serve_app
from nano2_app.config import load_settings
from nano2_app.errors import NanoError


def main() -> int:
    """Serve until stopped; an error is one line on stderr."""
    try:
        serve_app(load_settings())
    except NanoError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
