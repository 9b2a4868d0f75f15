"""Runs: generations as the page and the API see them, paced for a network and steered by id."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

from nano2_app.chat.events import Event
from nano2_app.chat.sampling_params import check_thinking_budget
from nano2_app.engine.base import Engine, GenerationRequest
from nano2_app.errors import UnknownRequest

UPDATE_INTERVAL_S = 0.05
"""A browser draws some twenty updates a second with ease, and a token each with difficulty."""

HEARTBEAT_S = 0.3
"""A client that has gone is noticed when something is sent to it, so silence is kept short."""


REST_S = 0.8
"""A slider that has not moved for this long is where its user wants it."""


class Run:
    """One generation. All of it happens on one event loop.

    Attributes:
        discarded: nobody wants the rest; whoever reads the batches should leave.
    """

    def __init__(self, engine: Engine, request: GenerationRequest, live: dict[str, "Run"]) -> None:
        self.request = request
        self.discarded = False
        self._engine = engine
        self._live = live
        self._commands: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        self._wanted: object = None

    @property
    def id(self) -> str:
        """Name of the run, to steer it by."""
        return self.request.request_id

    async def batches(self) -> AsyncGenerator[list[Event], None]:
        """Stream the events in batches, at most one per UPDATE_INTERVAL_S.

        The first batch is empty and comes at once; later empty ones are heartbeats. The events of
        the end are never lost. Leaving early aborts the generation.

        Raises (from the iterator):
            NanoError: as the engine does, after all events that came before.
        """
        events: list[Event] = []
        self._live[self.id] = self
        reader = asyncio.create_task(self._read_into(events))
        reader.add_done_callback(lambda _: self._changed.set())
        try:
            yield []
            ended = False
            while not ended:
                await self._wait()
                ended = reader.done()
                self._carry_out()
                batch, events[:] = events[:], []
                yield batch
                await asyncio.sleep(UPDATE_INTERVAL_S)
            await reader
        finally:
            self._live.pop(self.id, None)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    def stop(self) -> None:
        """End the run, keeping what was said."""
        self._steer(partial(self._engine.abort, self.id))

    def answer_now(self) -> None:
        """End the reasoning; the answer comes in the same stream."""
        self._steer(partial(self._engine.end_thinking, self.id))

    def set_thinking_budget(self, thinking_budget: object) -> None:
        """Change the budget from the next token on.

        Raises:
            InvalidRequest: the budget is unusable.
        """
        budget = check_thinking_budget(thinking_budget)
        self._steer(partial(self._engine.set_thinking_budget, self.id, budget))

    async def set_thinking_budget_at_rest(self, thinking_budget: object) -> None:
        """Change the budget unless another one is wanted within REST_S.

        Raises:
            InvalidRequest: the budget is unusable.
        """
        self._wanted = wanted = object()
        await asyncio.sleep(REST_S)
        if self._wanted is wanted:
            self.set_thinking_budget(thinking_budget)

    def discard(self) -> None:
        """Wake the reader of the batches and tell it to leave."""
        self.discarded = True
        self._changed.set()

    async def _read_into(self, events: list[Event]) -> None:
        async with aclosing(self._engine.generate(self.request)) as stream:
            async for event in stream:
                events.append(event)
                self._changed.set()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), HEARTBEAT_S)
        except TimeoutError:
            return
        self._changed.clear()

    def _steer(self, command: Callable[[], None]) -> None:
        self._commands.append(command)
        self._carry_out()

    def _carry_out(self) -> None:
        """Pass commands on; those that come before the engine knows the run wait for it."""
        while self._commands:
            try:
                self._commands[0]()
            except UnknownRequest:
                return
            del self._commands[0]


class Runs:
    """The runs in progress, of every tab, browser and client, on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._live: dict[str, Run] = {}

    def open(self, request: GenerationRequest) -> Run:
        """Prepare a run; it begins when its batches are read, and can be found from then on."""
        return Run(self._engine, request, self._live)

    def find(self, run_id: object) -> Run:
        """Find a run in progress.

        Raises:
            UnknownRequest: there is none of this id.
        """
        if not isinstance(run_id, str) or run_id not in self._live:
            raise UnknownRequest("No running answer has this id: it is finished, or never was.")
        return self._live[run_id]
