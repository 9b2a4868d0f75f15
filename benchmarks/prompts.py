"""Prompts of an exact length, no two alike, so that no engine has read one before."""

import random
import string
from bisect import bisect_left
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks.load import Prompt
from nano2_app.chat.messages import Message, assistant, user
from nano2_app.chat.template import render_prompt
from nano2_app.engine.local.tokenizer import PromptTokenizer


class Prompts:
    """Makes prompts for the model in a folder.

    Args:
        length: tokens of a prompt, unless told otherwise.
    """

    def __init__(self, model_dir: Path, length: int) -> None:
        tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        self._tokenizer = PromptTokenizer(tokenizer)
        self._length = length
        self._random = random.Random(0)

    def make(self, count: int, *, length: int | None = None) -> list[Prompt]:
        """Return as many prompts, each of a question of random letters."""
        return [self._make(length or self._length) for _ in range(count)]

    def follow_up(self, prompt: Prompt, text: str) -> Prompt:
        """Go on in the conversation of a prompt that was answered in between."""
        return self._prompt((*prompt.messages, assistant("An answer."), user(text)))

    def _make(self, length: int) -> Prompt:
        while True:  # a text may have no beginning of just this length; another one has
            text = "".join(self._random.choices(string.ascii_letters + "  ", k=6 * length))
            texts = range(len(text))
            cut = bisect_left(texts, length, key=lambda end: len(self._of(text[:end]).token_ids))
            prompt = self._of(text[:cut])
            if len(prompt.token_ids) == length:
                return prompt

    def _of(self, text: str) -> Prompt:
        return self._prompt((user(text),))

    def _prompt(self, messages: tuple[Message, ...]) -> Prompt:
        rendered = render_prompt(messages, thinking=True)
        return Prompt(messages, self._tokenizer.encode_prompt(rendered).tokens)
