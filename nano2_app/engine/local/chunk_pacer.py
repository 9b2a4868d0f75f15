"""How much of a prompt a step may read, so that those who are reading are not kept waiting."""

MAX_CHUNK = 512
"""Most tokens read in a step: bounds its memory, and how late a stop is noticed."""

MIN_CHUNK = 8
"""Every prompt goes on in every step of its turn, however slow the machine."""

_FIRST_CHUNK = 32
_SHARE = 0.7
"""A chunk may add this share to the time of a step that only decodes."""

_WEIGHT = 0.2
"""Of a new measurement in the running mean."""


class ChunkPacer:
    """Measures steps and says how long the next chunk may be.

    While nobody decodes, a chunk is as long as memory allows. Else it is as long as keeps the step
    well below twice the time of decoding alone.
    """

    def __init__(self) -> None:
        self._decode_s: float | None = None
        self._token_s: float | None = None

    def limit(self, decoding: int) -> int:
        """Tokens that the next chunk may have beside so many decoding sequences."""
        if not decoding:
            return MAX_CHUNK
        if self._decode_s is None or self._token_s is None:
            return _FIRST_CHUNK
        fitting = int(_SHARE * self._decode_s / self._token_s)
        return max(MIN_CHUNK, min(MAX_CHUNK, fitting))

    def observe(self, decoding: int, chunk: int, seconds: float) -> None:
        """Take in how long a step took."""
        if not chunk:
            self._decode_s = _mean(self._decode_s, seconds)
        elif decoding and self._decode_s is not None:
            extra = max(seconds - self._decode_s, 0.05 * seconds)
            self._token_s = _mean(self._token_s, extra / chunk)


def _mean(old: float | None, new: float) -> float:
    return new if old is None else old + _WEIGHT * (new - old)
