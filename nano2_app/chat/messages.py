"""The values of a conversation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nano2_app.errors import InvalidRequest


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `reasoning` is kept apart from `content` and never rendered into a later prompt."""

    role: Role
    content: str
    reasoning: str = ""

    def __post_init__(self) -> None:
        check_text(self.content, f"The {self.role} message")


def system(content: str) -> Message:
    """Build a system message."""
    return Message(Role.SYSTEM, content)


def user(content: str) -> Message:
    """Build a user message."""
    return Message(Role.USER, content)


def assistant(content: str, reasoning: str = "") -> Message:
    """Build an assistant message."""
    return Message(Role.ASSISTANT, content, reasoning)


def check_text(text: object, what: str) -> str:
    """Return `text` if it is a string that UTF-8 can carry.

    Raises:
        InvalidRequest: it is not a string, or holds half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"{what} must be text, not {type(text).__name__}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"{what} has a broken character at position {error.start + 1} "
            "(half of a surrogate pair); remove it and send again."
        ) from None
    return text


def parse_history(value: object) -> tuple[Message, ...]:
    """Read a history that came from outside: a list of `{"role", "content"}` mappings.

    `None` is an empty history. `reasoning` is read if present; other keys are ignored.

    Raises:
        InvalidRequest: with the position of the entry that is wrong.
    """
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidRequest(
            'The history must be a list of messages like {"role": "user", "content": "Hi"}, '
            f"not {type(value).__name__}."
        )
    return tuple(_parse_message(entry, number) for number, entry in enumerate(value, start=1))


def _parse_message(entry: object, number: int) -> Message:
    if isinstance(entry, Message):
        return entry
    what = f"Message {number} of the history"
    if not isinstance(entry, Mapping):
        raise InvalidRequest(
            f'{what} must be an object with "role" and "content", not {type(entry).__name__}.'
        )
    role = entry.get("role")
    if role not in (Role.USER, Role.ASSISTANT):
        raise InvalidRequest(f'{what} must have the "role" "user" or "assistant".')
    content = check_text(entry.get("content"), what)
    reasoning = check_text(entry.get("reasoning") or "", what)
    return Message(Role(role), content, reasoning)
