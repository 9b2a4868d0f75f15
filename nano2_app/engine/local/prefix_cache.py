"""Prompts that have been read before, found again by their tokens."""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from nano2_app.engine.local.hybrid_cache import StateSnapshot


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a prompt: the state after it, and the blocks of its keys and values."""

    length: int
    blocks: tuple[int, ...]
    state: StateSnapshot


class PrefixCache:
    """Prefixes by their tokens, the least recently used first to go.

    A state serves only the very length it was taken at, so a prefix is found whole or not at all;
    the longest one wins.
    """

    def __init__(self) -> None:
        self._prefixes: OrderedDict[bytes, Prefix] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._prefixes)

    def find(self, tokens: Sequence[int]) -> Prefix | None:
        """Return the longest prefix that leaves at least one token to read, and mark it as used."""
        data = _bytes(tokens[:-1])
        found = max((key for key in self._prefixes if data.startswith(key)), key=len, default=None)
        if found is None:
            return None
        self._prefixes.move_to_end(found)
        return self._prefixes[found]

    def holds(self, tokens: Sequence[int]) -> bool:
        """Whether exactly these tokens are kept."""
        return _bytes(tokens) in self._prefixes

    def add(self, tokens: Sequence[int], prefix: Prefix) -> None:
        """Keep a prefix, as the one used last."""
        self._prefixes[_bytes(tokens)] = prefix

    def evict(self, *, spare: Prefix | None = None) -> Prefix | None:
        """Forget the prefix that was not used for longest and return it; never `spare`."""
        for key, prefix in self._prefixes.items():
            if prefix is not spare:
                return self._prefixes.pop(key)
        return None

    def pop_all_of(self, tokens: Sequence[int]) -> list[Prefix]:
        """Forget, and return, every prefix of these tokens."""
        data = _bytes(tokens)
        return [self._prefixes.pop(key) for key in list(self._prefixes) if data.startswith(key)]


def _bytes(tokens: Sequence[int]) -> bytes:
    return array("i", tokens).tobytes()
