"""Between text and token ids, with a wall between a person's text and control tokens."""

from dataclasses import dataclass

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from nano2_app.chat.template import CONTROL_TOKENS, TURN_START, Prompt
from nano2_app.errors import ModelUnavailable


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A prompt as token ids.

    Attributes:
        turns: lengths of the prompt up to the word that begins each turn, ascending.
    """

    tokens: list[int]
    turns: tuple[int, ...]

    @property
    def marks(self) -> tuple[int, ...]:
        """Lengths at which other prompts are likely to part from it.

        After the system prompt, and after the last user turn, whose next token begins the
        reasoning, while in the history of the next prompt the answer follows.
        """
        return tuple(sorted({self.turns[0], self.turns[-1]}))


class PromptTokenizer:
    """Encodes prompts segment by segment: only segments marked `control` become control tokens.

    Args:
        tokenizer: of the model; this object changes its settings, so it must own it.

    Raises:
        ModelUnavailable: the tokenizer lacks the template's control tokens, or would make one out
            of ordinary text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._control_ids: dict[str, int] = {}
        for token in CONTROL_TOKENS:
            token_id = tokenizer.token_to_id(token)
            if token_id is None:
                raise ModelUnavailable(
                    f"This model's tokenizer has no {token}: it is not one of Nemotron Nano 2."
                )
            if token_id in self.encode(token):
                raise ModelUnavailable(
                    f"This model's tokenizer reads {token} in a person's text as a control token; "
                    "that is not safe to serve."
                )
            self._control_ids[token] = token_id

    def encode(self, text: str) -> list[int]:
        """Encode ordinary text; control tokens written in it stay text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def encode_prompt(self, prompt: Prompt) -> EncodedPrompt:
        """Encode a rendered prompt."""
        tokens: list[int] = []
        turns: list[int] = []
        for segment in prompt:
            if segment.control:
                tokens.append(self._control_ids[segment.text])
                if segment.text == TURN_START:
                    turns.append(len(tokens))
            else:
                tokens += self.encode(segment.text)
        return EncodedPrompt(tokens, tuple(turns))

    def control_id(self, token: str) -> int:
        """Id of one of the template's control tokens."""
        return self._control_ids[token]

    def detokenizer(self) -> "Detokenizer":
        """Start decoding one sequence."""
        return Detokenizer(self._tokenizer)


class Detokenizer:
    """Incremental decoder: constant work per token, and never half a character."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.reset()

    def add(self, token_id: int) -> str:
        """Return the text that this token completes; empty while a character is incomplete."""
        return self._stream.step(self._tokenizer, token_id) or ""

    def reset(self) -> None:
        """Forget what came before, also an incomplete character."""
        self._stream = DecodeStream(skip_special_tokens=True)
