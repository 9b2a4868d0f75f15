"""How many rows to compute, so that a row's result does not depend on how many there are."""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

PROBE_WIDTH = 640
"""Of the rows tried: more than matrix kernels add up in one go."""

_VOTERS = 64


class RowPadding:
    """Row counts that a linear layer computes alike, found by trying.

    A matrix product over few rows may add up in another order than one over many, so its last bits
    differ, and with them, now and then, a token. On FBGEMM with AVX2 that is so where one or two
    rows remain beside blocks of six: 1, 2, 7, 14, 31, 32, ... A batch of such a size gets rows that
    nobody reads. Then a sequence gives the same numbers alone and in any batch.

    Args:
        product: maps [rows, PROBE_WIDTH] to [rows, any width], as the model's linear layers do.
    """

    def __init__(self, product: Callable[[Tensor], Tensor]) -> None:
        self._product = product
        self._row = torch.linspace(-1.0, 1.0, PROBE_WIDTH).sin_()
        rows = Counter(tuple(self._try(count)[0].tolist()) for count in range(1, _VOTERS))
        self._usual = torch.tensor(rows.most_common(1)[0][0])
        self._padded: dict[int, int] = {}

    def __call__(self, rows: int) -> int:
        """Return how many rows to add to so many."""
        if rows not in self._padded:
            candidates = range(rows, rows + _VOTERS)
            usual = (count for count in candidates if (self._try(count) == self._usual).all())
            self._padded[rows] = next(usual, rows) - rows
        return self._padded[rows]

    def _try(self, rows: int) -> Tensor:
        return self._product(self._row.expand(rows, -1).contiguous())
