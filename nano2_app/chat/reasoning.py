"""Split what the model writes into reasoning and answer. Nothing else knows the tags.

For Nemotron Nano 2 `<think>` and `</think>` are ordinary text of several tokens, and the prompt has
already opened the reasoning, so the text starts inside it and a tag arrives in any pieces.
"""

import re
from typing import NamedTuple

THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"
_TAGS = (THINK_OPEN, THINK_CLOSE)
_SURELY_A_TAG = re.compile(r"</?thi(?:nk?)?\Z")

GUARD_CHARS = 120
"""Characters of answer held back after a forced close, in case the model is still thinking.

A second `</think>` within them shows that they were reasoning, and they are dropped. About 30
tokens: enough to catch a sentence that runs on, short enough not to be noticed.
"""


class Split(NamedTuple):
    """What became certain: more reasoning, then more answer; either may be empty."""

    reasoning: str
    answer: str


class ReasoningSplitter:
    """Incremental splitter: `feed` text as it comes, `flush` at the end.

    The concatenated results do not depend on how the text was cut into pieces. White space around
    the two parts is trimmed; tags are never shown, not even one that is put together by removing
    another; a `<` that may begin a tag is held until the next characters decide.
    """

    def __init__(self, *, thinking: bool = True) -> None:
        self._thinking = thinking
        self._held = ""  # not shown yet: white space, or what may become a tag
        self._started = False  # something of the current part was shown
        self._reopened = False  # the answer began with another `<think>`
        self._guard = 0
        self._last_line = ""  # tells a line break from the middle of a sentence

    @property
    def thinking(self) -> bool:
        """Whether the text is still reasoning."""
        return self._thinking

    def feed(self, text: str, *, forced: bool = False) -> Split:
        """Take in more text.

        Args:
            text: any piece of the model's output.
            forced: the text was forced on the model to close the reasoning (see `forced_close`), so
                the model may not have noticed: guard the answer's beginning.
        """
        self._held += text
        self._last_line = (self._last_line + text)[-80:]
        reasoning = self._take_reasoning() if self._thinking else ""
        if forced and not self._thinking:
            self._guard = GUARD_CHARS
        answer = "" if self._thinking else self._take_answer()
        return Split(reasoning, answer)

    def flush(self) -> Split:
        """End the text: what was held as a possible tag is text after all."""
        rest = "" if self._reopened else _SURELY_A_TAG.sub("", self._held).rstrip()
        if not self._started:
            rest = rest.lstrip()
        self._held, self._guard = "", 0
        return Split(rest, "") if self._thinking else Split("", rest)

    def forced_close(self) -> str:
        r"""Text that ends the reasoning from where it stands.

        After a line break `\n</think>\n\n`, in mid-sentence `.\n</think>\n\n` (NVIDIA's own
        client does so); a closing tag that the model has begun is completed, not written again.
        """
        for length in range(len(THINK_CLOSE) - 1, 0, -1):
            if self._held.endswith(THINK_CLOSE[:length]):
                return f"{THINK_CLOSE[length:]}\n\n"
        line = self._last_line.rstrip(" \t")
        stop = "" if not line or line.endswith("\n") else "."
        return f"{stop}\n{THINK_CLOSE}\n\n"

    def _take_reasoning(self) -> str:
        while found := _first_tag(self._held):
            before, tag, after = found
            if tag == THINK_CLOSE:
                shown = before.rstrip() if self._started else before.strip()
                self._thinking, self._started, self._held = False, False, after
                return shown
            self._held = before + after
        return self._release()

    def _take_answer(self) -> str:
        while found := _first_tag(self._held):
            before, tag, after = found
            if self._reopened:
                self._held, self._reopened = after, tag == THINK_OPEN
            elif self._starts_with_tag(before) and tag == THINK_OPEN:
                self._held, self._reopened, self._guard = after, True, 0
            elif tag == THINK_CLOSE and len(before.strip()) < self._guard:
                self._held, self._guard = after, 0
            else:
                self._held = before + after
        if self._reopened:
            self._held = self._held[_certain(self._held) :]
            return ""
        if self._guard and len(self._held[: _certain(self._held)].strip()) < self._guard:
            return ""
        self._guard = 0
        return self._release()

    def _starts_with_tag(self, before: str) -> bool:
        return not self._started and not before.strip()

    def _release(self) -> str:
        """Hand out the text that is certain, and keep the rest."""
        cut = len(self._held[: _certain(self._held)].rstrip())
        shown, self._held = self._held[:cut], self._held[cut:]
        if not self._started:
            shown = shown.lstrip()
            self._started = bool(shown)
        return shown


def _first_tag(text: str) -> tuple[str, str, str] | None:
    """Split `text` at its first tag: before, tag, after."""
    places = [(text.find(tag), tag) for tag in _TAGS if tag in text]
    if not places:
        return None
    start, tag = min(places)
    return text[:start], tag, text[start + len(tag) :]


def _certain(text: str) -> int:
    """Length of the part of `text` that can't belong to a tag, whatever follows.

    Beginnings of tags in a row, as in `</th<thi`, are all held: with the second one removed as a
    tag, the first could go on.
    """
    end = len(text)
    while (start := text.rfind("<", max(0, end - len(THINK_CLOSE)), end)) >= 0:
        if not any(tag.startswith(text[start:end]) for tag in _TAGS):
            break
        end = start
    return end
