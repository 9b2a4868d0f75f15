"""From conversations to token ids, with a mark on every token that the model is to learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

from nano2_app.chat.template import TURN_END, render_prompt
from training.conversation import Conversation, Reasoning
from training.tokenizer import control_id, encode, encode_prompt

CLOSE = "\n</think>\n\n"


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a prompt and its completion; `learned[i]` marks `ids[i]` as a target."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]


def build_example(tokenizer: Tokenizer, conversation: Conversation, rng: Random) -> Example:
    """Encode a conversation. The prompt and the completion are never encoded as one text."""
    sample, reasoning = conversation.sample, conversation.reasoning
    thinking = reasoning is not Reasoning.SKIPPED
    prompt = encode_prompt(tokenizer, render_prompt(conversation.messages, thinking=thinking))
    end = control_id(tokenizer, TURN_END)
    answer = [*encode(tokenizer, f"{sample.answer}\n"), end]
    parts = [(prompt, False)]
    if reasoning is Reasoning.FULL:
        parts.append((encode(tokenizer, f"{sample.trace}{CLOSE}"), True))
    elif reasoning is Reasoning.CUT:
        trace = cut(tokenizer, encode(tokenizer, f"{sample.trace}\n"), rng)
        parts += [(trace, True), (forced_close(tokenizer, trace), False)]
    parts.append((answer, True))
    return Example(
        ids=tuple(token for ids, _ in parts for token in ids),
        learned=tuple(learned for ids, learned in parts for _ in ids),
    )


def cut(tokenizer: Tokenizer, trace: Sequence[int], rng: Random) -> list[int]:
    """Cut a trace at a random token, half of the time at the next line break."""
    length = rng.randint(1, len(trace) - 1) if len(trace) > 1 else 1
    if rng.random() < 0.5:
        while length < len(trace) and not ends_line(tokenizer, trace[:length]):
            length += 1
    return list(trace[:length])


def forced_close(tokenizer: Tokenizer, trace: Sequence[int]) -> list[int]:
    """Return the tokens with which the engine ends a trace that has used its budget up."""
    return encode(tokenizer, CLOSE if ends_line(tokenizer, trace) else f".{CLOSE}")


def ends_line(tokenizer: Tokenizer, trace: Sequence[int]) -> bool:
    """Say whether the text of the last token ends in a line break."""
    text: str = tokenizer.decode([trace[-1]], skip_special_tokens=False)
    return text.endswith("\n")
