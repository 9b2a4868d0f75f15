"""The shape of nano2-tiny and its first weights."""

import torch
from transformers import NemotronHConfig, NemotronHForCausalLM
from transformers.models.nemotron_h.modeling_nemotron_h import NemotronHMamba2Mixer

PATTERN = "M-M-M*-M-M*-M-"
LAYER_NAMES = {"M": "linear_attention", "-": "mlp", "*": "full_attention"}
FIRST_TIME_STEP_MIN = 0.001


def tiny_config(vocab_size: int) -> NemotronHConfig:
    """Return the configuration: the 9B's architecture, with few and narrow layers."""
    return NemotronHConfig(
        architectures=["NemotronHForCausalLM"],
        dtype="bfloat16",
        vocab_size=vocab_size,
        hidden_size=192,
        layers_block_type=[LAYER_NAMES[letter] for letter in PATTERN],
        intermediate_size=576,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=48,
        mamba_num_heads=6,
        mamba_head_dim=64,
        ssm_state_size=64,
        n_groups=1,
        conv_kernel=4,
        chunk_size=64,
        max_position_embeddings=4096,
        # The chunked scan clamps the time step at this value and single-step decoding does not:
        # at 0 a prompt and a decoded token see the same model.
        time_step_min=0.0,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=[2, 12],
    )


def new_model(config: NemotronHConfig, seed: int) -> NemotronHForCausalLM:
    """Build a model with fresh weights.

    `transformers` draws the first time steps log-uniformly between `time_step_min` and
    `time_step_max`, which takes a minimum above 0: the minimum is set to 0 only afterwards.
    """
    torch.manual_seed(seed)
    config.time_step_min = FIRST_TIME_STEP_MIN
    model = NemotronHForCausalLM(config)
    config.time_step_min = 0.0
    for module in model.modules():
        if isinstance(module, NemotronHMamba2Mixer):
            module.time_step_limit = (0.0, float("inf"))
    return model
