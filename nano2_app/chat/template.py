r"""The prompt layout of NVIDIA-Nemotron-Nano-9B-v2, after the chat template of its model card.

    <SPECIAL_10>System\n{system}\n
    <SPECIAL_11>User\n{user}\n
    <SPECIAL_11>Assistant\n{answer}\n<SPECIAL_12>\n     an earlier turn, its reasoning dropped
    <SPECIAL_11>User\n{user}\n
    <SPECIAL_11>Assistant\n<think>\n                     thinking; `<think></think>` to skip it

(shown on several lines; the layout has no other line breaks than the `\n` written out).

The card's template reads `/think` and `/no_think` out of the text. Here the switch is an argument:
whatever a person types, a URL ending in `/think` included, is only text. Control tokens come only
from this module: a prompt is a series of segments, and only segments marked `control` may be
encoded as special tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nano2_app.chat.messages import Message, Role
from nano2_app.chat.reasoning import THINK_CLOSE, THINK_OPEN
from nano2_app.errors import InvalidRequest

SYSTEM_START = "<SPECIAL_10>"
TURN_START = "<SPECIAL_11>"
TURN_END = "<SPECIAL_12>"
CONTROL_TOKENS = (SYSTEM_START, TURN_START, TURN_END)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the prompt: one control token, or text in which none may be recognised."""

    text: str
    control: bool = False


Prompt = tuple[Segment, ...]


def render_prompt(messages: Sequence[Message], *, thinking: bool) -> Prompt:
    """Render a conversation up to the point where the assistant is to speak.

    Args:
        messages: an optional system message first, then turns; the last one is the user's.
        thinking: open the reasoning (True) or have it closed already (False).

    Raises:
        InvalidRequest: no user message at the end, or a system message that is not the first.
    """
    has_system = bool(messages) and messages[0].role is Role.SYSTEM
    turns = messages[1:] if has_system else messages
    if any(turn.role is Role.SYSTEM for turn in turns):
        raise InvalidRequest("Only the first message of a conversation can be a system prompt.")
    if not turns or turns[-1].role is not Role.USER:
        raise InvalidRequest("The last message of a conversation must be the user's.")
    return tuple(_segments(messages[0].content if has_system else "", turns, thinking))


def _segments(system: str, turns: Sequence[Message], thinking: bool) -> Iterator[Segment]:
    yield Segment(SYSTEM_START, control=True)
    yield Segment(f"System\n{system.strip()}\n")
    for turn in turns:
        yield Segment(TURN_START, control=True)
        if turn.role is Role.USER:
            yield Segment(f"User\n{turn.content.strip()}\n")
        else:
            yield Segment(f"Assistant\n{turn.content.strip()}\n")
            yield Segment(TURN_END, control=True)
            yield Segment("\n")
    yield Segment(TURN_START, control=True)
    opening = f"{THINK_OPEN}\n" if thinking else f"{THINK_OPEN}{THINK_CLOSE}"
    yield Segment(f"Assistant\n{opening}")
