"""The tokenizer: byte-level BPE of the `tekken` kind, as the 9B's, with a small vocabulary."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from nano2_app.chat.template import TURN_END, Prompt, render_prompt
from training.conversation import training_conversation

VOCABULARY = 1536
SAMPLES = 12_000
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>", *(f"<SPECIAL_{number}>" for number in range(3, 13)))
# Words, punctuation and line breaks apart, digits one by one.
PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def build_tokenizer(seed: int, samples: int = SAMPLES) -> Tokenizer:
    """Train the tokenizer on generated conversations."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(seed, samples), trainer)
    tokenizer.encode_special_tokens = True
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a `tokenizer.json` such that text never encodes to control tokens."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


def save_for_transformers(tokenizer: Tokenizer, folder: Path) -> None:
    """Write what `AutoTokenizer.from_pretrained` reads."""
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=SPECIAL_TOKENS[0],
        bos_token=SPECIAL_TOKENS[1],
        eos_token=TURN_END,
        pad_token=SPECIAL_TOKENS[0],
        extra_special_tokens=list(SPECIAL_TOKENS[2:]),
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    ).save_pretrained(folder)


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Encode text in which nothing is a control token."""
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def control_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a control token."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"The tokenizer has no {token}.")
    return int(found)


def encode_prompt(tokenizer: Tokenizer, prompt: Prompt) -> list[int]:
    """Encode a prompt segment by segment; only its control segments become control tokens."""
    ids: list[int] = []
    for segment in prompt:
        if segment.control:
            ids.append(control_id(tokenizer, segment.text))
        else:
            ids += encode(tokenizer, segment.text)
    return ids


def _corpus(seed: int, samples: int) -> Iterator[str]:
    rng = Random(f"tokenizer {seed}")
    for _ in range(samples):
        conversation = training_conversation(rng)
        for segment in render_prompt(conversation.messages, thinking=True):
            if not segment.control:
                yield segment.text
        yield f"{conversation.sample.trace}\n</think>\n\n{conversation.sample.answer}\n"
