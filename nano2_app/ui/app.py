"""The page: a header that says what answers, a tab per scenario, the public calls."""

import html

import gradio as gr

from nano2_app.chat.scenarios import Scenarios
from nano2_app.config import Settings
from nano2_app.engine.base import Engine, ModelCard, ModelKind
from nano2_app.ui.chat_tab import build_chat_tab
from nano2_app.ui.endpoints import Endpoints
from nano2_app.ui.handlers import MODEL_SLOTS, ChatHandlers
from nano2_app.ui.runs import Runs

_BADGES = {
    ModelKind.NANO_9B: "Nemotron Nano 9B v2",
    ModelKind.EMBEDDED: "Embedded stand-in",
    ModelKind.OTHER: "Another model",
    ModelKind.SCRIPTED: "Script, no model",
}


def build_app(engine: Engine, scenarios: Scenarios, settings: Settings) -> gr.Blocks:
    """Build the app on an engine; the caller launches it and closes the engine."""
    runs = Runs(engine)
    card = engine.status().model
    demo = gr.Blocks(title="Nano 2 Studio", analytics_enabled=False)
    with demo:
        # First, so that no handler of a tab takes the name of a public call.
        Endpoints(runs, scenarios, engine).connect()
        gr.HTML(header(card), padding=False)
        with gr.Tabs():
            for scenario in scenarios:
                tab = build_chat_tab(scenario, card)
                ChatHandlers(runs, scenario, tab).connect()
    # The engine refuses what is too much, in plain words; Gradio's limit only bounds a flood.
    demo.queue(max_size=4 * settings.max_waiting, default_concurrency_limit=MODEL_SLOTS)
    return demo


def header(card: ModelCard) -> str:
    """Write the line at the top: which model answers, and what it is."""
    facts = [card.description]
    if card.parameters:
        facts.append(f"{card.parameters / 1e6:,.1f} million parameters")
    facts.append(f"{card.context_length:,} tokens of context")
    if card.device:
        facts.append(f"on {card.device}")
    return (
        '<header class="n2-header"><h1>Nano 2 Studio</h1>'
        f'<p class="n2-model"><span class="n2-badge n2-{card.kind}">{_BADGES[card.kind]}</span> '
        f"<strong>{html.escape(card.name)}</strong> "
        f"<span>{html.escape(' · '.join(facts))}</span></p></header>"
    )
