"""Write a `nemotron_h` model as GGUF, the file format of llama.cpp.

    python -m benchmarks.peers.gguf_export MODEL_DIR OUT.gguf

Matrices are written in bfloat16; vectors and what the Mamba-2 recurrence uses besides its
projections in float32, as llama.cpp wants them. Weights of another type are converted.

The tokenizer is written as byte-level BPE with the pre-tokenizer `tekken`. That is the pattern in
the tokenizer.json of nano2-tiny, and of the 9B: words by letter case, digits one by one. A
tokenizer that splits in another way, as the random models' do, still works with prompts of token
ids and with generated tokens, but llama.cpp may split a prompt of text differently. With `tekken`,
llama.cpp also takes a whole word from the vocabulary without merging; the same tokens come out
unless the vocabulary holds a word that no sequence of merges reaches.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import torch
from safetensors import safe_open

ARCHITECTURE = gguf.MODEL_ARCH.NEMOTRON_H
# llama.cpp has a key for each of three ids that end an answer.
END_KEYS = ("eos", "eot", "eom")


def export_gguf(model_dir: Path, out: Path) -> Path:
    """Write the model in `model_dir` to `out`, replacing it, and return `out`.

    `model_dir` holds config.json, tokenizer.json and one or more .safetensors files. Raises
    ValueError for a model of another type, a layer other than Mamba-2, attention or MLP, or a
    tensor that llama.cpp has no name for, and OSError for a file that can't be read or written.
    """
    config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "nemotron_h":
        raise ValueError(f"The model is a {config['model_type']}, not a nemotron_h.")
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[ARCHITECTURE])
    try:
        writer.add_name(model_dir.name)
        add_shape(writer, config)
        tokenizer = json.loads((model_dir / "tokenizer.json").read_text(encoding="utf-8"))
        add_tokenizer(writer, tokenizer, config)
        add_tensors(writer, model_dir, config)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return out


def layer_kinds(config: dict[str, Any]) -> list[str]:
    """Return "M", "*" or "-" for each layer: Mamba-2, attention or MLP."""
    if pattern := config.get("hybrid_override_pattern"):
        kinds = list(pattern)
    else:
        letters = {"linear_attention": "M", "mamba": "M", "full_attention": "*", "attention": "*"}
        kinds = [{**letters, "mlp": "-"}.get(kind, kind) for kind in config["layers_block_type"]]
    if unknown := set(kinds) - set("M*-"):
        raise ValueError(f"llama.cpp's nemotron_h has no layer of kind {sorted(unknown)}.")
    return kinds


def add_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    """Add the numbers of config.json. There are none of rotary positions: the model has none."""
    kinds = layer_kinds(config)
    heads = config["mamba_num_heads"]
    writer.add_block_count(len(kinds))
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_layer_norm_rms_eps(config["layer_norm_epsilon"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])  # read by some versions, used by none
    # llama.cpp knows the layers apart by these two: Mamba-2 has neither heads nor a width.
    writer.add_head_count_kv([config["num_key_value_heads"] if k == "*" else 0 for k in kinds])
    writer.add_feed_forward_length([config["intermediate_size"] if k == "-" else 0 for k in kinds])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_ssm_conv_kernel(config["conv_kernel"])
    writer.add_ssm_inner_size(heads * config["mamba_head_dim"])
    writer.add_ssm_state_size(config["ssm_state_size"])
    writer.add_ssm_group_count(config["n_groups"])
    writer.add_ssm_time_step_rank(heads)  # for Mamba-2 llama.cpp reads the number of heads here
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)


def add_tokenizer(
    writer: gguf.GGUFWriter, tokenizer: dict[str, Any], config: dict[str, Any]
) -> None:
    """Add vocabulary, merges and special ids; ids without a token become unused tokens."""
    tokens = [f"[UNUSED_{number}]" for number in range(config["vocab_size"])]
    types = [gguf.TokenType.UNUSED] * len(tokens)
    for token, number in tokenizer["model"]["vocab"].items():
        tokens[number], types[number] = token, gguf.TokenType.NORMAL
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
        special = added["special"]
        types[added["id"]] = gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
    # llama.cpp refuses a vocabulary without merges; this one makes no token, so it changes nothing.
    merges = tokenizer["model"]["merges"] or [[tokens[0], tokens[0]]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("tekken")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    # Said outright, for llama.cpp adds a start token to `tekken` otherwise.
    processor = tokenizer.get("post_processor") or {}
    writer.add_add_bos_token(bool(processor.get("special_tokens")))
    ends = config["eos_token_id"]
    ids = dict(zip(END_KEYS, ends if isinstance(ends, list) else [ends], strict=False))
    ids |= {"bos": config.get("bos_token_id"), "pad": config.get("pad_token_id")}
    for name, number in ids.items():
        if number is not None:
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", number)


def add_tensors(writer: gguf.GGUFWriter, model_dir: Path, config: dict[str, Any]) -> None:
    """Add every weight under llama.cpp's name, in its shape and type."""
    names = gguf.get_tensor_name_map(ARCHITECTURE, len(layer_kinds(config)))
    for name, tensor in stored_tensors(model_dir):
        # The bias of the time step is llama.cpp's bias of a projection that Mamba-2 has not.
        known = name.replace("mixer.dt_bias", "mixer.dt.bias")
        theirs = names.get_name(known, try_suffixes=(".weight", ".bias"))
        if theirs is None:
            raise ValueError(f"llama.cpp's nemotron_h has no tensor for {name}.")
        shaped = as_llamacpp_has_it(name, tensor, config["n_groups"])
        if shaped.dtype == torch.bfloat16:
            # NumPy has no bfloat16: its bits are passed, and the type by name.
            bits = shaped.view(torch.uint16).numpy()
            writer.add_tensor(theirs, bits, raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(theirs, shaped.numpy())


def stored_tensors(model_dir: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield name and weight of everything in the folder's .safetensors files."""
    for path in sorted(model_dir.glob("*.safetensors")):
        with safe_open(path, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - not a dict: it does not iterate
                yield name, weights.get_tensor(name)


def as_llamacpp_has_it(name: str, tensor: torch.Tensor, groups: int) -> torch.Tensor:
    """Return a weight in the shape and type llama.cpp computes with."""
    match name.rpartition("mixer.")[2]:
        case "A_log":
            return -tensor.float().exp()[:, None]  # it stores A itself
        case "D":
            return tensor.float()[:, None]
        case "conv1d.weight":
            return tensor.float().squeeze(1)  # [channels, 1, kernel] without the 1
        case "norm.weight" if ".mixer." in name:
            return tensor.float().reshape(groups, -1)  # it normalizes each group by itself
    if tensor.dim() == 1:
        return tensor.float()
    return tensor.to(torch.bfloat16).contiguous()


def main() -> None:
    """Export and print the file's name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(export_gguf(arguments.model_dir, arguments.out))


if __name__ == "__main__":
    main()
