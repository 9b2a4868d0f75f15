"""What happens when a person acts in a tab: one set of handlers, bound to each tab's components."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import gradio as gr

from nano2_app.chat.sampling_params import check_thinking_budget
from nano2_app.chat.scenarios import Scenario
from nano2_app.chat.transcript import Phase, Transcript
from nano2_app.engine.base import Engine, GenerationRequest
from nano2_app.errors import NanoError, UnknownRequest
from nano2_app.ui.chat_tab import ChatTab
from nano2_app.ui.failures import explain
from nano2_app.ui.presentation import Conversation, Turn, chat_messages, history, stats_line
from nano2_app.ui.streaming import transcripts

Updates = dict[gr.components.Component, Any]


class TabHandlers:
    """The handlers of one tab. All state of a person is in the tab's `gr.State`s."""

    def __init__(self, engine: Engine, scenario: Scenario, tab: ChatTab) -> None:
        self._engine = engine
        self._scenario = scenario
        self._tab = tab

    def connect(self, concurrency_limit: int) -> None:
        """Wire the tab's events."""
        tab = self._tab
        buttons = [tab.send, tab.stop, tab.answer_now]
        asking: dict[str, Any] = {
            "outputs": [
                *buttons,
                tab.chatbot,
                tab.message,
                tab.stats,
                tab.conversation,
                tab.run_id,
            ],
            "concurrency_id": "model",
            "concurrency_limit": concurrency_limit,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        settings = [tab.conversation, tab.thinking_budget, tab.skip_reasoning]
        sent = gr.on(
            [tab.send.click, tab.message.submit],
            self.send,
            inputs=[tab.message, *settings],
            **asking,
        )
        example = tab.chatbot.example_select(self.send_example, inputs=settings, **asking)

        steering: dict[str, Any] = {
            "queue": False,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        tab.stop.click(self.stop, inputs=[tab.run_id], **steering)
        tab.answer_now.click(self.answer_now, inputs=[tab.run_id], **steering)
        tab.thinking_budget.change(
            self.change_budget,
            inputs=[tab.run_id, tab.thinking_budget],
            trigger_mode="always_last",
            **steering,
        )
        tab.skip_reasoning.change(
            self.toggle_budget,
            inputs=[tab.skip_reasoning],
            outputs=[tab.thinking_budget],
            **steering,
        )
        tab.clear.click(
            self.clear,
            outputs=[*buttons, tab.chatbot, tab.stats, tab.conversation],
            cancels=[sent, example],
            **steering,
        )

    async def send_example(
        self,
        conversation: Conversation,
        thinking_budget: float,
        skip_reasoning: bool,
        example: gr.SelectData,
    ) -> AsyncGenerator[Updates, None]:
        """Send an example as if it had been typed."""
        async with aclosing(
            self.send(example.value["text"], conversation, thinking_budget, skip_reasoning)
        ) as updates:
            async for update in updates:
                yield update

    async def send(
        self,
        message: str,
        conversation: Conversation,
        thinking_budget: float,
        skip_reasoning: bool,
    ) -> AsyncGenerator[Updates, None]:
        """Ask, and stream what comes of it into the chat."""
        tab = self._tab
        try:
            params = self._scenario.sampling_params(
                thinking_budget=thinking_budget, skip_reasoning=skip_reasoning
            )
            messages = self._scenario.messages(message, history(conversation))
        except NanoError as error:
            gr.Warning(str(error))
            return
        request = GenerationRequest(messages, params)
        transcript, why = Transcript(), ""
        yield {**self._buttons(transcript), tab.message: "", tab.run_id: request.request_id}
        try:
            async with aclosing(transcripts(self._engine, request)) as stream:
                async for transcript in stream:
                    shown = (*conversation, Turn(message, transcript))
                    yield {tab.chatbot: chat_messages(shown), **self._buttons(transcript)}
        except Exception as failure:  # noqa: BLE001  (explained to the person, logged if ours)
            why = explain(failure)
        if why and not transcript.reasoning and not transcript.answer:
            # Nothing came of it: as if it had not been sent, so nothing that was typed is lost.
            gr.Warning(why)
            yield {
                tab.chatbot: chat_messages(conversation),
                tab.message: message,
                **self._buttons(None),
            }
            return
        conversation = (*conversation, Turn(message, transcript, why))
        yield {
            tab.chatbot: chat_messages(conversation),
            tab.stats: stats_line(transcript, params.seed),
            tab.conversation: conversation,
            **self._buttons(None),
        }

    async def stop(self, run_id: str) -> None:
        """Stop the answer; the stream that shows it ends with what was said."""
        with suppress(UnknownRequest):
            self._engine.abort(run_id)

    async def answer_now(self, run_id: str) -> None:
        """End the thinking of the running answer."""
        with suppress(UnknownRequest):
            self._engine.end_thinking(run_id)

    async def change_budget(self, run_id: str, thinking_budget: float) -> None:
        """Apply a moved slider to the running answer, if there is one."""
        with suppress(NanoError):
            self._engine.set_thinking_budget(run_id, check_thinking_budget(thinking_budget))

    async def toggle_budget(self, skip_reasoning: bool) -> Updates:
        """Without reasoning there is no budget to set."""
        return {self._tab.thinking_budget: gr.Slider(interactive=not skip_reasoning)}

    async def clear(self) -> Updates:
        """Start over; what ran has been cancelled by then."""
        tab = self._tab
        return {tab.chatbot: [], tab.stats: "", tab.conversation: (), **self._buttons(None)}

    def _buttons(self, transcript: Transcript | None) -> Updates:
        """Enable what makes sense while an answer is on its way, or (None) when none is."""
        tab, running = self._tab, transcript is not None
        thinking = transcript is not None and transcript.phase is Phase.THINKING
        return {
            tab.send: gr.Button(interactive=not running),
            tab.stop: gr.Button(interactive=running),
            tab.answer_now: gr.Button(interactive=thinking),
        }
