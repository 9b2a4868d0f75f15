"""One tab, built from a scenario: the chat, the composer and the controls of the reasoning."""

from dataclasses import asdict, dataclass

import gradio as gr

from nano2_app.chat.scenarios import Scenario
from nano2_app.engine.base import ModelCard


@dataclass(frozen=True)
class ChatTab:
    """The components of a tab, and the state behind them."""

    chatbot: gr.Chatbot
    message: gr.Textbox
    send: gr.Button
    stop: gr.Button
    answer_now: gr.Button
    clear: gr.Button
    thinking_budget: gr.Slider
    skip_reasoning: gr.Checkbox
    stats: gr.Markdown
    conversation: gr.State
    run_id: gr.State


def build_chat_tab(scenario: Scenario, card: ModelCard) -> ChatTab:
    """Lay out a tab; the controls offer what the loaded model can do."""
    name = scenario.id
    chatbot = gr.Chatbot(
        label=scenario.title,
        show_label=False,
        height="56vh",
        min_height=320,
        buttons=["copy", "copy_all"],
        latex_delimiters=[asdict(delimiter) for delimiter in scenario.latex_delimiters],
        placeholder=f"### {scenario.title}\n{scenario.description}",
        examples=[{"text": example} for example in scenario.examples],
        elem_id=f"{name}-chat",
        elem_classes="chat",
    )
    stats = gr.Markdown("", elem_classes="stats", elem_id=f"{name}-stats")
    with gr.Group(elem_classes="composer"):
        message = gr.Textbox(
            label=f"Message ({scenario.title})",
            show_label=False,
            placeholder=scenario.placeholder,
            lines=2,
            max_lines=10,
            submit_btn=False,
            elem_id=f"{name}-message",
        )
        with gr.Row(elem_classes="actions"):
            send = gr.Button("Send", variant="primary", elem_id=f"{name}-send")
            answer_now = gr.Button("Answer now", interactive=False, elem_id=f"{name}-answer-now")
            stop = gr.Button("Stop", variant="stop", interactive=False, elem_id=f"{name}-stop")
            clear = gr.Button("Clear", elem_id=f"{name}-clear")
    with gr.Row(elem_classes="reasoning-controls", equal_height=True):
        thinking_budget = gr.Slider(
            minimum=0,
            maximum=card.max_thinking_budget,
            value=min(scenario.thinking_budget, card.max_thinking_budget),
            step=_step(card.max_thinking_budget),
            precision=0,
            label="Thinking budget (tokens)",
            info="The reasoning ends at the first line break from here on; 0 skips it. "
            "Moving it while the model thinks changes that answer.",
            scale=4,
            elem_id=f"{name}-budget",
        )
        skip_reasoning = gr.Checkbox(
            label="Skip reasoning",
            info="Answer directly.",
            scale=1,
            min_width=170,
            elem_id=f"{name}-skip",
        )
    return ChatTab(
        chatbot=chatbot,
        message=message,
        send=send,
        stop=stop,
        answer_now=answer_now,
        clear=clear,
        thinking_budget=thinking_budget,
        skip_reasoning=skip_reasoning,
        stats=stats,
        conversation=gr.State(()),
        run_id=gr.State(""),
    )


def _step(maximum: int) -> int:
    """Choose a step that leaves the slider a few hundred positions at most."""
    return max(1, 1 << (maximum // 256).bit_length() - 1) if maximum >= 256 else 1
