"""The app on a scripted engine, listening on a free port of this machine."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nano2_app.api.routes import routes
from nano2_app.chat.scenarios import load_scenarios
from nano2_app.config import SCENARIOS_DIR, load_settings
from nano2_app.engine.scripted import Script, ScriptedEngine
from nano2_app.ui.app import build_app
from nano2_app.ui.launch import launched

TRACE_LINE = "one two three four five six seven eight nine ten\n"
SCRIPT = Script(reasoning=TRACE_LINE * 3, answer="The answer is 933.")
ENDLESS = Script(reasoning=TRACE_LINE * 300, answer="word " * 3000)


@dataclass
class RunningApp:
    """A server under test and the engine behind it."""

    url: str
    engine: ScriptedEngine

    def play(self, script: Script, token_delay_s: float = 0.002, max_running: int = 4) -> None:
        """Choose what the engine says, how fast, and to how many at a time."""
        self.engine.script = lambda _request: script
        self.engine.token_delay_s = token_delay_s
        self.engine.max_running = max_running

    def wait_until_idle(self) -> None:
        """Wait until the engine runs nothing."""
        wait_for(lambda: self.engine.status().running == 0, "the engine is free")


@contextmanager
def running_app() -> Iterator[RunningApp]:
    engine = ScriptedEngine()
    settings = load_settings(port=0, host="127.0.0.1")
    demo = build_app(engine, load_scenarios(SCENARIOS_DIR), settings)
    with launched(demo, settings, routes(engine)) as url:
        yield RunningApp(url, engine)
    engine.close()


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it does not within the time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"It never came true that {what}."
        time.sleep(0.01)
