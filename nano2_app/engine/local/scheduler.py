"""Who is in the next step."""

from collections import deque
from dataclasses import dataclass

from nano2_app.chat.events import Queued
from nano2_app.engine.local.cache_manager import CacheManager
from nano2_app.engine.local.chunk_pacer import ChunkPacer
from nano2_app.engine.local.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Step:
    """What one forward pass reads.

    Attributes:
        decoding: the sequences of the slots from 0 on; each reads one token.
        reading: a sequence that reads `count` tokens of its prompt, if any does.
        slot: of the reading sequence.
        last: whether these are the last it has.
    """

    decoding: list[Sequence]
    reading: Sequence | None = None
    slot: int = 0
    count: int = 0
    last: bool = False


class Scheduler:
    """First come, first served into the slots; in each step all decode and one reads its prompt.

    `running` is in the order of the slots, the decoding ones first, so that a step finds their
    states side by side. Prompts are read in turns, a chunk each: a short one behind a long one is
    not kept waiting for all of it. The chunks end where pieces of `piece_tokens` do, so that the
    same pieces are computed however a prompt is divided.
    """

    def __init__(self, manager: CacheManager, piece_tokens: int) -> None:
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self._decoding = 0
        self._manager = manager
        self._piece_tokens = piece_tokens
        self._pacer = ChunkPacer()
        self._steps = 0
        self._changed = False

    @property
    def busy(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.running or self.waiting)

    def add(self, sequence: Sequence) -> None:
        """Let a sequence in at the end of the queue."""
        self.waiting.append(sequence)
        self._changed = True

    def schedule(self) -> Step | None:
        """Fill the free slots and put the next step together; None if there is nothing to run."""
        if self._changed:
            self._admit()
        if not self.running:
            return None
        self._steps += 1
        decoding = self.running[: self._decoding]
        prompts = self.running[self._decoding :]
        if not prompts:
            return Step(decoding)
        reading = min(prompts, key=lambda sequence: sequence.turn)
        reading.turn = self._steps
        count = self._chunk(reading, self._pacer.limit(len(decoding)))
        slot = self.running.index(reading, self._decoding)
        return Step(decoding, reading, slot, count, last=count == reading.pending)

    def pace(self, step: Step, seconds: float) -> None:
        """Take in how long a step took, to size the next ones by."""
        self._pacer.observe(len(step.decoding), step.count, seconds)

    def advance(self, step: Step) -> None:
        """Note what a step has read: keep prefixes, let those that are through decode."""
        for sequence in step.decoding:
            sequence.num_computed += 1
        if reading := step.reading:
            reading.num_computed += step.count
            if reading.num_computed in reading.marks:
                self._manager.keep(reading, step.slot)
            if step.last:
                self._swap(step.slot, self._decoding)
                self._decoding += 1

    def remove(self, sequence: Sequence, *, tainted: bool = False) -> None:
        """Let go of a sequence, running or waiting, and of all it holds."""
        if sequence in self.running:
            self._vacate(self.running.index(sequence))
            self._manager.release(sequence, tainted=tainted)
            self._changed = True
        elif sequence in self.waiting:
            self.waiting.remove(sequence)
            self._tell_positions()

    def restart(self) -> None:
        """Send all running sequences back to the head of the queue, to read their tokens anew."""
        for sequence in self.running:
            self._manager.release(sequence)
        self.waiting.extendleft(reversed(self.running))
        self.running.clear()
        self._decoding = 0
        self._changed = True

    def _chunk(self, sequence: Sequence, limit: int) -> int:
        """How much to read: about `limit` tokens, to the end of a piece, and not past a mark."""
        start, piece = sequence.num_computed, self._piece_tokens
        end = max((start + limit) // piece, start // piece + 1) * piece
        return min(end, sequence.next_mark) - start

    def _admit(self) -> None:
        self._changed = False
        admitted = False
        while self.waiting and len(self.running) < self._manager.slots:
            sequence, slot = self.waiting[0], len(self.running)
            if not self._manager.admit(sequence, slot, self.running):
                break
            admitted = True
            self.running.append(self.waiting.popleft())
            sequence.tell_progress()
        if self.waiting or admitted:
            self._tell_positions()

    def _tell_positions(self) -> None:
        for position, sequence in enumerate(self.waiting, start=1):
            if not sequence.output.began and sequence.position != position:
                sequence.position = position
                sequence.stream.put(Queued(position))

    def _vacate(self, slot: int) -> None:
        if slot < self._decoding:
            self._decoding -= 1
            self._swap(slot, self._decoding)
            slot = self._decoding
        self._swap(slot, len(self.running) - 1)
        self.running.pop()

    def _swap(self, slot: int, other: int) -> None:
        self.running[slot], self.running[other] = self.running[other], self.running[slot]
        self._manager.cache.swap(slot, other)
