"""What a hybrid model remembers per token and per sequence, from its configuration alone."""

from dataclasses import dataclass
from typing import Any

STATE_BYTES = 4
"""The recurrent state is float32 whatever the weights are: NVIDIA's model card warns that a
narrower one costs accuracy."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of a `nemotron_h` model that its memory and its layers are made from.

    Attributes:
        layers: kind of each layer: "linear_attention" (Mamba-2), "full_attention" or "mlp".
        dtype_bytes: of weights, keys, values and convolution state.
    """

    layers: tuple[str, ...]
    hidden_size: int
    vocab_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    mamba_heads: int
    mamba_head_dim: int
    groups: int
    state_size: int
    conv_kernel: int
    dtype_bytes: int

    @classmethod
    def from_config(cls, config: Any, *, dtype_bytes: int) -> "ModelShape":
        """Read the sizes from a `NemotronHConfig`; no weights are needed."""
        return cls(
            layers=tuple(config.layers_block_type),
            hidden_size=config.hidden_size,
            vocab_size=config.vocab_size,
            attention_heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            mamba_heads=config.mamba_num_heads,
            mamba_head_dim=config.mamba_head_dim,
            groups=config.n_groups,
            state_size=config.ssm_state_size,
            conv_kernel=config.conv_kernel,
            dtype_bytes=dtype_bytes,
        )

    @property
    def mamba_layers(self) -> int:
        """Number of Mamba-2 layers."""
        return self.layers.count("linear_attention")

    @property
    def attention_layers(self) -> int:
        """Number of attention layers."""
        return self.layers.count("full_attention")

    @property
    def mamba_width(self) -> int:
        """Channels of a Mamba-2 layer."""
        return self.mamba_heads * self.mamba_head_dim

    @property
    def conv_width(self) -> int:
        """Channels that pass the convolution: x, B and C."""
        return self.mamba_width + 2 * self.groups * self.state_size

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of keys and values that one token adds (16 KiB for the 9B)."""
        return self.attention_layers * 2 * self.kv_heads * self.head_dim * self.dtype_bytes

    @property
    def state_bytes_per_sequence(self) -> int:
        """Bytes of recurrent and convolution state, the same at every length."""
        recurrent = self.mamba_width * self.state_size * STATE_BYTES
        convolution = self.conv_width * (self.conv_kernel - 1) * self.dtype_bytes
        return self.mamba_layers * (recurrent + convolution)
