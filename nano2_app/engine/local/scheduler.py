"""Who is next."""

from collections import deque

from nano2_app.chat.events import Queued
from nano2_app.engine.local.sequence import Sequence


class Scheduler:
    """First come, first served: one sequence runs, the others wait and know their position."""

    def __init__(self) -> None:
        self.running: Sequence | None = None
        self.waiting: deque[Sequence] = deque()

    @property
    def busy(self) -> bool:
        """Whether there is anything to run."""
        return self.running is not None or bool(self.waiting)

    def add(self, sequence: Sequence) -> None:
        """Let a sequence in at the end of the queue."""
        must_wait = self.busy
        self.waiting.append(sequence)
        if must_wait:
            sequence.stream.put(Queued(len(self.waiting)))

    def schedule(self) -> Sequence | None:
        """Return the sequence whose turn it is, or None if there is none."""
        if self.running is None and self.waiting:
            self.running = self.waiting.popleft()
            self._tell_positions()
        return self.running

    def remove(self, sequence: Sequence) -> None:
        """Let go of a sequence that has ended."""
        if sequence is self.running:
            self.running = None
        elif sequence in self.waiting:
            self.waiting.remove(sequence)
            self._tell_positions()

    def _tell_positions(self) -> None:
        for position, sequence in enumerate(self.waiting, start=1):
            sequence.stream.put(Queued(position))
