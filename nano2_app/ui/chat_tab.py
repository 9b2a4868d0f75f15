"""The components of one tab, built from a scenario."""

from dataclasses import asdict, dataclass

import gradio as gr

from nano2_app.chat.scenarios import Scenario
from nano2_app.engine.base import ModelCard

_CHAT_HEIGHT = "max(300px, calc(100dvh - 412px))"


@dataclass(frozen=True, slots=True)
class ChatTab:
    """What a tab consists of; `turns`, `run_id` and `draft` are kept per browser session.

    Attributes:
        turns: the conversation, a tuple of `Turn`.
        run_id: the run in progress, or empty.
        draft: a question that failed, to be put back into the box.
    """

    chatbot: gr.Chatbot
    status: gr.HTML
    box: gr.Textbox
    send: gr.Button
    answer_now: gr.Button
    stop: gr.Button
    clear: gr.Button
    budget: gr.Slider
    skip: gr.Checkbox
    turns: gr.State
    run_id: gr.State
    draft: gr.State


def build_chat_tab(scenario: Scenario, card: ModelCard) -> ChatTab:
    """Lay out the tab of a scenario: the chat, a line about it, the composer, the controls."""
    largest = card.max_thinking_budget
    with gr.Tab(scenario.title, id=scenario.id, render_children=True):
        chatbot = gr.Chatbot(
            label=f"{scenario.title} conversation",
            show_label=False,
            height=_CHAT_HEIGHT,
            placeholder=f"## {scenario.title}\n{scenario.description}",
            examples=[{"text": example} for example in scenario.examples],
            latex_delimiters=[asdict(delimiter) for delimiter in scenario.latex_delimiters],
            buttons=["copy", "copy_all"],
            sanitize_html=True,
            layout="bubble",
            elem_classes="n2-chat",
        )
        status = gr.HTML("", elem_classes="n2-status", padding=False)
        with gr.Row(elem_classes="n2-composer"):
            box = gr.Textbox(
                label="Your message",
                show_label=False,
                container=False,
                placeholder=scenario.placeholder,
                lines=1,
                max_lines=8,
                scale=1,
            )
            send = gr.Button("Send", variant="primary", scale=0, min_width=110)
        with gr.Row(elem_classes="n2-controls"):
            budget = gr.Slider(
                0,
                largest,
                value=min(scenario.thinking_budget, largest),
                step=_step(largest),
                label="Thinking budget (tokens)",
                info="Reasoning ends soon after this many; 0 skips it. Works while it thinks, too.",
                buttons=[],
                scale=1,
                min_width=280,
            )
            with gr.Column(scale=0, min_width=330, elem_classes="n2-side"):
                with gr.Row(elem_classes="n2-buttons"):
                    answer_now = gr.Button("Answer now", interactive=False, min_width=110)
                    stop = gr.Button("Stop", variant="stop", interactive=False, min_width=80)
                    clear = gr.Button("Clear", min_width=80)
                skip = gr.Checkbox(label="Skip reasoning, answer at once", container=False)
        turns, run_id, draft = gr.State(()), gr.State(""), gr.State("")
    return ChatTab(
        chatbot, status, box, send, answer_now, stop, clear, budget, skip, turns, run_id, draft
    )


def _step(largest: int) -> int:
    """Small enough to choose well, large enough for a slider of a few hundred pixels."""
    return next((step for step in (1, 8, 16, 64) if largest <= step * 256), 256)
