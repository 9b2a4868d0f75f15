"""What the controls of a tab do; one class for every tab."""

import html
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr
from gradio.components import Component

from nano2_app.chat.scenarios import Scenario
from nano2_app.chat.transcript import Phase, Transcript
from nano2_app.engine.base import GenerationRequest
from nano2_app.errors import NanoError, UnknownRequest
from nano2_app.ui.chat_tab import ChatTab
from nano2_app.ui.presentation import (
    Turn,
    chat_messages,
    history,
    sentence,
    status_line,
    turn_messages,
)
from nano2_app.ui.runs import Run, Runs

_log = logging.getLogger(__name__)

MODEL_SLOTS = 128
"""Generations that Gradio lets through at a time: more than engines do, which tell the place."""

Update = dict[Any, Any]


class ChatHandlers:
    """Connects the controls of one tab to the engine's runs."""

    def __init__(self, runs: Runs, scenario: Scenario, tab: ChatTab) -> None:
        self._runs = runs
        self._scenario = scenario
        self._tab = tab

    def connect(self) -> None:
        """Attach the handlers to the tab's components."""
        tab = self._tab
        view: list[Component] = [
            tab.chatbot,
            tab.status,
            tab.box,
            tab.send,
            tab.answer_now,
            tab.stop,
        ]
        session: list[Component] = [tab.turns, tab.run_id, tab.draft]
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        at_once: dict[str, Any] = hidden | {"queue": False}
        sent = gr.on(
            [tab.send.click, tab.box.submit],
            self.send,
            [tab.box, tab.budget, tab.skip, tab.turns],
            view + session,
            concurrency_id="model",
            concurrency_limit=MODEL_SLOTS,
            **hidden,
        )
        sent.then(self.settle, [tab.box, tab.draft], [tab.box, tab.draft], **at_once)
        tab.stop.click(self.stop, tab.run_id, None, **at_once)
        tab.answer_now.click(self.answer_now, tab.run_id, None, **at_once)
        tab.clear.click(self.clear, tab.run_id, view + session, **at_once)
        tab.budget.input(
            self.set_thinking_budget,
            [tab.run_id, tab.budget],
            None,
            # While a number is typed it may be blank or too large, which Gradio takes for an error.
            js=f"(id, n) => [id, Math.min(Math.max(Math.round(n || 0), 0), {tab.budget.maximum})]",
            trigger_mode="multiple",
            **at_once,
        )
        tab.skip.change(self.skip, tab.skip, tab.budget, **at_once)
        tab.chatbot.example_select(self.choose_example, None, tab.box, **at_once)

    async def send(
        self, message: str, budget: float, skip: bool, turns: tuple[Turn, ...]
    ) -> AsyncGenerator[Update, None]:
        """Ask, and show the answer as it comes; the only generator behind the page."""
        try:
            request = GenerationRequest(
                self._scenario.messages(message, history(turns)),
                self._scenario.sampling_params(thinking_budget=budget, skip_reasoning=skip),
            )
        except NanoError as error:
            _warn(sentence(error))
            yield {self._tab.status: gr.skip()}
            return
        run = self._runs.open(request)
        turn = Turn(message, Transcript())
        earlier = chat_messages(turns)
        yield {self._tab.box: "", self._tab.run_id: run.id, self._tab.draft: ""}
        try:
            async with aclosing(run.batches()) as batches:
                async for batch in batches:
                    if run.discarded:
                        break
                    for event in batch:
                        turn.transcript.add(event)
                    yield self._show(earlier, turn, run)
        except Exception as error:  # noqa: BLE001  (whatever fails, the page must stay usable)
            if not isinstance(error, NanoError):
                _log.exception("An answer failed")
            turn.failure = sentence(error)
            _warn(turn.failure)
        yield self._cleared() if run.discarded else self._ended(turns, turn, run)

    async def settle(self, box: str, draft: str) -> Update:
        """Put a question that failed back into the box, unless something new is there."""
        return {self._tab.box: draft if draft and not box else gr.skip(), self._tab.draft: ""}

    async def stop(self, run_id: str) -> None:
        """End the run; what was said stays."""
        if run := self._running(run_id):
            run.stop()

    async def answer_now(self, run_id: str) -> None:
        """End the reasoning; the answer follows."""
        if run := self._running(run_id):
            run.answer_now()

    async def set_thinking_budget(self, run_id: str, budget: float) -> None:
        """Give the run in progress, if there is one, the budget that the slider comes to rest at.

        On its way to 800 a typed number is 8, which would end the reasoning.
        """
        if run := self._running(run_id):
            await run.set_thinking_budget_at_rest(budget)

    async def clear(self, run_id: str) -> Update:
        """Empty the conversation; a run in progress is left first, and its handler empties it."""
        if run := self._running(run_id):
            run.discard()
            return {self._tab.status: gr.skip()}
        return self._cleared()

    async def skip(self, skip: bool) -> Any:
        """A budget means nothing without reasoning."""
        return gr.update(interactive=not skip)

    async def choose_example(self, chosen: gr.SelectData) -> str:
        """Write an example into the box."""
        return str(chosen.value["text"])

    def _running(self, run_id: str) -> Run | None:
        try:
            return self._runs.find(run_id)
        except UnknownRequest:  # it has just ended: there is nothing left to steer
            return None

    def _show(self, earlier: list[dict[str, Any]], turn: Turn, run: Run) -> Update:
        thinking = turn.transcript.phase is Phase.THINKING
        # Gradio ignores a second question until the first has ended, so "Send" waits for that.
        return {
            self._tab.chatbot: earlier + turn_messages(turn),
            self._tab.status: self._line(turn, run),
            self._tab.send: gr.update(interactive=False),
            self._tab.answer_now: gr.update(interactive=thinking),
            self._tab.stop: gr.update(interactive=True),
        }

    def _ended(self, turns: tuple[Turn, ...], turn: Turn, run: Run) -> Update:
        kept = (*turns, turn) if turn.said_something or not turn.failure else turns
        return {
            self._tab.chatbot: chat_messages(kept),
            self._tab.status: self._line(turn, run),
            self._tab.turns: kept,
            self._tab.draft: turn.question if turn.failure else "",
            **self._idle(),
        }

    def _cleared(self) -> Update:
        empty = {self._tab.chatbot: [], self._tab.status: "", self._tab.turns: ()}
        return empty | self._idle()

    def _idle(self) -> Update:
        return {
            self._tab.run_id: "",
            self._tab.send: gr.update(interactive=True),
            self._tab.answer_now: gr.update(interactive=False),
            self._tab.stop: gr.update(interactive=False),
        }

    def _line(self, turn: Turn, run: Run) -> str:
        return html.escape(status_line(turn, run.request.sampling_params.seed))


def _warn(text: str) -> None:
    gr.Warning(html.escape(text, quote=False))
