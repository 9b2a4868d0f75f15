"""From a built app to a running server, and to its end."""

import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gradio as gr
from starlette.routing import BaseRoute

from nano2_app.chat.scenarios import Scenarios
from nano2_app.config import ASSETS_DIR, Settings
from nano2_app.engine.base import Engine
from nano2_app.errors import ConfigurationError
from nano2_app.ui.app import build_app
from nano2_app.ui.handlers import MODEL_SLOTS
from nano2_app.ui.theme import build_theme


def serve(
    engine: Engine,
    scenarios: Scenarios,
    settings: Settings,
    routes: Sequence[BaseRoute] = (),
) -> None:
    """Serve the app, with `routes` beside it, until Ctrl-C or SIGTERM; then close the engine.

    Raises:
        ConfigurationError: the address can't be listened on.
    """
    try:
        with launched(build_app(engine, scenarios, settings), settings, routes) as url:
            model = engine.status().model.name
            sys.stdout.write(f"Nano 2 Studio is ready at {url} ({model}); Ctrl-C ends it.\n")
            sys.stdout.flush()
            _wait_for_the_end()
    finally:
        engine.close()


@contextmanager
def launched(
    demo: gr.Blocks, settings: Settings, routes: Sequence[BaseRoute] = ()
) -> Iterator[str]:
    """Run a server for the app in the background; the value is its address.

    Args:
        demo: the app.
        settings: where to listen.
        routes: further addresses of the same server; they go before the app's own.

    Raises:
        ConfigurationError: the address can't be listened on.
    """
    host, port = _host(settings), free_port(settings)
    try:
        demo.launch(
            server_name=host,
            server_port=port,
            max_threads=MODEL_SLOTS,  # it bounds running events, too
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            inbrowser=False,
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            footer_links=["api", "settings"],
            theme=build_theme(),
            css_paths=ASSETS_DIR / "style.css",
            favicon_path=ASSETS_DIR / "favicon.svg",
            app_kwargs={"routes": list(routes)},
        )
    except OSError as error:  # taken between our look and Gradio's
        raise _unusable(host, port, error) from None
    try:
        yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104
    finally:
        demo.close(verbose=False)


def free_port(settings: Settings) -> int:
    """Check that the port is free, or find one for 0; Gradio itself checks only 127.0.0.1.

    Raises:
        ConfigurationError: the address can't be listened on.
    """
    host, port = _host(settings), settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            raise _unusable(host, port, error) from None
        return int(probe.getsockname()[1])


def _host(settings: Settings) -> str:
    host = settings.listen_on
    return f"[{host.strip('[]')}]" if ":" in host else host


def _unusable(host: str, port: int, error: OSError) -> ConfigurationError:
    reason = error.strerror or str(error)
    return ConfigurationError(
        f"The app can't listen on port {port} of {host} ({reason}); "
        "choose another port with --port, or 0 for any free one."
    )


def _wait_for_the_end() -> None:
    ended = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        ended.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
