"""A hybrid Mamba-2/attention model of 30 million random parameters, for measuring speed.

Every engine can read its folder: the tokenizer has as many entries as the model has embeddings, and
whatever the model generates is text.

    python -m benchmarks.random_hybrid [FOLDER]
"""

import argparse
import itertools
import shutil
import tempfile
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import NemotronHConfig, NemotronHForCausalLM, PreTrainedTokenizerFast

RANDOM_HYBRID_DIR = Path(__file__).parents[1] / "build" / "random-hybrid"
VOCAB_SIZE = 4096
CONTROL = ["<unk>", "<s>", "</s>", *(f"<SPECIAL_{number}>" for number in range(3, 13))]


def save_random_hybrid(folder: Path = RANDOM_HYBRID_DIR) -> Path:
    """Save the model in bfloat16 and its tokenizer, unless it is there already; return the folder.

    The weights are the same on every call. In the output layer the rows of control tokens and of
    bytes beyond ASCII are zero: greedy decoding neither stops nor makes what is not UTF-8, at which
    llama.cpp gives up. PyTorch's random state is not changed.
    """
    if (folder / "config.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside and moved: a folder that is there is whole, however this process ends.
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        made = Path(beside) / folder.name
        padded_byte_tokenizer().save_pretrained(made)
        _random_model().save_pretrained(made)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return folder


def _random_model() -> NemotronHForCausalLM:
    config = NemotronHConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=512,
        intermediate_size=1792,
        hybrid_override_pattern="M-M-M*-M-M-M*-M-",
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=64,
        mamba_num_heads=16,
        mamba_head_dim=64,
        ssm_state_size=128,
        n_groups=2,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=[2, len(CONTROL) - 1],
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = NemotronHForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[: len(CONTROL) + len(_letters(ascii_only=False))] = 0.0
    # Else transformers clamps the time step in prefill, and only there. Set late: the random
    # weights are drawn from its logarithm.
    model.config.time_step_min = 0.0
    return model.to(torch.bfloat16)


def padded_byte_tokenizer() -> PreTrainedTokenizerFast:
    """The 9B's control tokens at their ids, one token per byte, then pairs of letters: 4,096."""
    text = _letters(ascii_only=True)
    singles = [*CONTROL, *_letters(ascii_only=False), *text]
    every_pair = ((first, second) for first in text for second in text)
    pairs = list(itertools.islice(every_pair, VOCAB_SIZE - len(singles)))
    tokens = [*singles, *(first + second for first, second in pairs)]
    vocab = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=CONTROL[1], eos_token=CONTROL[-1]
    )
    fast.add_special_tokens({"additional_special_tokens": CONTROL})
    return fast


def _letters(*, ascii_only: bool) -> list[str]:
    """Return how byte-level BPE writes visible ASCII, or else every other byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return [letter for letter in alphabet if letter.isascii() is ascii_only]


def main() -> None:
    """Save the model and print where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=RANDOM_HYBRID_DIR)
    print(save_random_hybrid(parser.parse_args().folder))


if __name__ == "__main__":
    main()
