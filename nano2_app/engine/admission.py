"""What fits a model's context; refused before any work, with the numbers to act on."""

from collections.abc import Sequence

from nano2_app.chat.messages import Message
from nano2_app.chat.sampling_params import SamplingParams
from nano2_app.errors import ContextTooLong

MIN_ANSWER_TOKENS = 16
"""An answer with less room than this is not worth starting."""

CLOSE_TOKENS = 16
"""Room for the forced end of the reasoning, which no count of tokens includes."""

DEFAULT_MAX_TOKENS = 32_768
"""Reasoning and answer of a request that sets no limit: what the model card's samples allow. Room
is set aside for all of it, so without a limit few long contexts would fit side by side."""

_CHARS_PER_TOKEN = 16
"""No text of a language or program has more characters per token; runs of blanks may."""


def check_length(messages: Sequence[Message], context_length: int) -> None:
    """Refuse a conversation that can't fit, by its characters, before it is even tokenized.

    Raises:
        ContextTooLong: with the length and the limit.
    """
    length = sum(len(message.content) for message in messages)
    limit = context_length * _CHARS_PER_TOKEN
    if length > limit:
        raise ContextTooLong(
            f"The conversation has {length:,} characters and this model takes at most {limit:,} "
            f"({context_length:,} tokens); shorten the message or start a new conversation."
        )


def room_for(prompt_tokens: int, params: SamplingParams, context_length: int) -> int:
    """Tokens that reasoning and answer may use together after a prompt of this length.

    Raises:
        ContextTooLong: hardly anything is left; the message has the numbers.
    """
    left = context_length - prompt_tokens - CLOSE_TOKENS
    if left < MIN_ANSWER_TOKENS:
        over = MIN_ANSWER_TOKENS - left
        raise ContextTooLong(
            f"The conversation has {prompt_tokens:,} tokens and this model holds "
            f"{context_length:,} with the answer; shorten it by {over:,} tokens or start a new one."
        )
    return min(left, params.max_tokens or DEFAULT_MAX_TOKENS)
