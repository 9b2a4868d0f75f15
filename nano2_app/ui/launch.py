"""Starts the page and keeps it up."""

import signal
import socket
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any

from gradio import Blocks

from nano2_app.chat.scenarios import Scenarios
from nano2_app.config import ASSETS_DIR, Settings
from nano2_app.engine.base import Engine
from nano2_app.errors import ConfigurationError
from nano2_app.ui.app import build_app
from nano2_app.ui.theme import theme


@dataclass(frozen=True)
class RunningApp:
    """A page that is up."""

    page: Blocks
    url: str

    def close(self) -> None:
        """Take it down."""
        self.page.close(verbose=False)


def start(engine: Engine, scenarios: Scenarios, settings: Settings) -> RunningApp:
    """Start the page without waiting for its end.

    Raises:
        ConfigurationError: the port is taken, or the address is not one of this machine.
    """
    host, port = settings.listen_on, settings.port or _free_port(settings.listen_on)
    _check_port(host, port)
    page = build_app(engine, scenarios, settings)
    page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        show_error=True,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=["api", "settings"],
        theme=theme(),
        css_paths=[ASSETS_DIR / "style.css"],
    )
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    return RunningApp(page, f"http://{shown}:{port}")


def serve(engine: Engine, scenarios: Scenarios, settings: Settings) -> None:
    """Start the page, say where it is, and stay until Ctrl-C or SIGTERM; then close the engine."""
    try:
        app = start(engine, scenarios, settings)
        model = engine.status().model
        sys.stdout.write(f"Nano 2 Studio is ready at {app.url} (model: {model.name})\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            signal.pause()
        except KeyboardInterrupt:
            app.close()
    finally:
        engine.close()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _free_port(host: str) -> int:
    with _socket(host) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _check_port(host: str, port: int) -> None:
    try:
        with _socket(host) as probe:
            probe.bind((host, port))
    except OSError as error:
        raise ConfigurationError(
            f"Can't listen on {host} port {port} ({error.strerror or error}); choose another with "
            "--port or NANO2_PORT, or 0 for a free one."
        ) from None


def _socket(host: str) -> Any:
    probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe
