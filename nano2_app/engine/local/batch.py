"""The tokens of one step."""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from nano2_app.engine.local.block_pool import BlockTable


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens that a sequence reads in one step.

    Attributes:
        start: tokens that it has read before.
        count: tokens to read.
        cuts: positions at which to cut it into pieces, besides those of `pieces`.
    """

    blocks: BlockTable
    start: int
    count: int
    cuts: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """Tokens that it has read after the step."""
        return self.start + self.count

    def pieces(self, tokens: int) -> list[tuple[int, int]]:
        """Cut at the multiples of `tokens`, counted from the beginning of the sequence.

        What is computed piece by piece does not depend on how a prompt is divided among steps, as
        long as each step ends at a cut.

        Returns:
            Begin and end of each piece, as positions in the sequence.
        """
        begins = {self.start, *range((self.start // tokens + 1) * tokens, self.end, tokens)}
        begins.update(cut for cut in self.cuts if self.start < cut < self.end)
        return list(pairwise([*sorted(begins), self.end]))


@dataclass(frozen=True, slots=True)
class Batch:
    """One step: a token of each decoding sequence, then a chunk of a prompt, then padding.

    Attributes:
        token_ids: [rows].
        decoding: the sequences of the slots 0 to n - 1; each reads one token.
        chunk: several tokens of the sequence in slot `chunk_slot`.
        wants_logits: the chunk's next token is asked for.
    """

    token_ids: Tensor
    decoding: list[Span]
    chunk: Span | None = None
    chunk_slot: int = 0
    wants_logits: bool = False

    @property
    def decoded(self) -> int:
        """Number of tokens that are decoded."""
        return len(self.decoding)

    @property
    def tokens(self) -> int:
        """Number of tokens that belong to somebody."""
        return self.decoded + (self.chunk.count if self.chunk else 0)

    @property
    def padding(self) -> int:
        """Number of rows that belong to nobody."""
        return len(self.token_ids) - self.tokens

    def rows(self) -> list[int]:
        """Where the keys and values of all tokens go, counting the tokens of all blocks."""
        rows = [span.blocks.row(span.start) for span in self.decoding]
        if chunk := self.chunk:
            rows += [chunk.blocks.row(position) for position in range(chunk.start, chunk.end)]
        return rows
