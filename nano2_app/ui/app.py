"""The page, as a table of contents."""

import gradio as gr

from nano2_app.chat.scenarios import Scenarios
from nano2_app.config import Settings
from nano2_app.engine.base import Engine
from nano2_app.ui.chat_tab import build_chat_tab
from nano2_app.ui.endpoints import Endpoints
from nano2_app.ui.handlers import TabHandlers
from nano2_app.ui.presentation import model_line


def build_app(engine: Engine, scenarios: Scenarios, settings: Settings) -> gr.Blocks:
    """Build the page and the calls of `gradio_client` on one engine.

    The engine has its own queue and tells positions, so every request goes straight to it: the
    limit here only has to be above what the engine admits.
    """
    limit = settings.max_waiting + 64
    with gr.Blocks(title="Nano 2 Studio", analytics_enabled=False, fill_width=False) as blocks:
        status = engine.status()
        gr.Markdown("# Nano 2 Studio", elem_classes="title")
        gr.Markdown(model_line(status), elem_id="model-line", elem_classes=["model-line"])
        with gr.Tabs():
            for scenario in scenarios:
                # Rendered with the page: a tab that is mounted late loses what streamed meanwhile.
                with gr.Tab(scenario.title, id=scenario.id, render_children=True):
                    tab = build_chat_tab(scenario, status.model)
                    TabHandlers(engine, scenario, tab).connect(limit)
        Endpoints(engine, scenarios).register(limit)
    page.queue(max_size=2 * limit, default_concurrency_limit=limit)
    return page
