"""A random model of the real architecture, small enough to be made for a test."""

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import NemotronHConfig, NemotronHForCausalLM, PreTrainedTokenizerFast

CONTROL = ["<unk>", "<s>", "</s>", *(f"<SPECIAL_{n}>" for n in range(3, 13))]
TURN_END_ID = 12


def save_random_model(folder: Path, *, context_length: int = 512, seed: int = 0) -> Path:
    """Save a model with random weights and a tokenizer of single bytes; return the folder."""
    byte_tokenizer().save_pretrained(folder)
    torch.manual_seed(seed)
    config = NemotronHConfig(
        vocab_size=len(CONTROL) + 256,
        hidden_size=32,
        intermediate_size=48,
        hybrid_override_pattern="M-M*-M-",
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        mamba_num_heads=4,
        mamba_head_dim=16,
        ssm_state_size=8,
        n_groups=2,
        chunk_size=16,
        max_position_embeddings=context_length,
        eos_token_id=[2, TURN_END_ID],
        pad_token_id=0,
        initializer_range=0.4,
    )
    model = NemotronHForCausalLM(config)
    with torch.no_grad():  # greedy decoding never chooses to stop, so tests choose when it ends
        model.lm_head.weight[: len(CONTROL)] = 0.0
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, with the 9B's control tokens at their ids."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*CONTROL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=CONTROL[TURN_END_ID])
    fast.add_special_tokens({"additional_special_tokens": CONTROL})
    return fast
