"""Which generated problems are for training and which are kept for measuring.

The choice depends on the problem alone, so the same problem falls on the same side wherever it
turns up: in a first or second turn, inside an equation, in any wording.
"""

from hashlib import blake2b

HELD_OUT_SHARE = 0.1


def is_held_out(*key: object) -> bool:
    """Say whether the problem that `key` names is kept out of the training data."""
    digest = blake2b(":".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) < HELD_OUT_SHARE * 2**64
