"""Loads a Nemotron Nano 2 model from a folder or the Hugging Face Hub."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from huggingface_hub.utils import logging as hub_logging
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from nano2_app.chat.template import TURN_END
from nano2_app.config import EMBEDDED_MODEL_DIR, NANO_9B
from nano2_app.engine.base import ModelCard, ModelKind
from nano2_app.engine.local.hybrid_cache import HybridCache
from nano2_app.engine.local.local_engine import LocalEngine
from nano2_app.engine.local.memory_plan import plan_memory
from nano2_app.engine.local.model_runner import ModelRunner
from nano2_app.engine.local.network import Network
from nano2_app.engine.local.tokenizer import PromptTokenizer
from nano2_app.errors import ModelUnavailable

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NANO_9B_BYTES = 19 * 2**30
"""Weights in bfloat16 (16.6 GiB), state, cache and working memory of one conversation."""

DEFAULT_SLOTS = 8
"""Sequences that run at a time: on an A10G beside the 9B's weights there is state for as many."""

_WORKING_BYTES = 2**30
"""Of a GPU's memory, what activations and libraries need beside weights and cache."""

_CPU_CACHE_BYTES = 2 * 2**30

_SMALL = 10**9
"""Fewer parameters than this run best on one thread of a CPU: the products are so small that
handing them out costs more than computing them, many times more on a busy machine."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model on its device, with all that the engine needs to know of it."""

    network: Network
    tokenizer: PromptTokenizer
    card: ModelCard
    stop_ids: frozenset[int]
    threads: int

    def runner(self, *, slots: int = DEFAULT_SLOTS, memory: int | None = None) -> ModelRunner:
        """Give the model its memory: `memory` bytes, or what the device has to spare.

        Raises:
            ModelUnavailable: not even one conversation fits.
        """
        network = self.network
        budget = _spare_memory(network) if memory is None else memory
        context = self.card.context_length
        plan = plan_memory(network.shape, budget, context_length=context, max_slots=slots)
        cache = HybridCache(network.shape, plan, dtype=network.dtype, device=network.device)
        return ModelRunner(network, cache, self.threads)


def load_engine(
    model: str,
    *,
    slots: int = DEFAULT_SLOTS,
    max_waiting: int = 64,
    device: str | None = None,
    threads: int | None = None,
    memory: int | None = None,
) -> LocalEngine:
    """Load a model (see `load_model`) and start the engine on it, with `slots` at most."""
    loaded = load_model(model, device=device, threads=threads)
    return LocalEngine(
        loaded.runner(slots=slots, memory=memory),
        loaded.tokenizer,
        loaded.card,
        stop_ids=loaded.stop_ids,
        max_waiting=max_waiting,
    )


def load_model(
    model: str,
    *,
    device: str | None = None,
    threads: int | None = None,
    dtype: torch.dtype | None = None,
) -> LoadedModel:
    """Load a model from a folder, or by its id from the Hugging Face Hub.

    Args:
        model: folder or id.
        device: "cuda" or "cpu"; None takes CUDA if there is one.
        threads: CPU threads that torch may use; None lets the model's size decide.
        dtype: that the weights are read in; None is bfloat16. A CPU then keeps them in float16 (see
            `Linear`).

    Raises:
        ModelUnavailable: one sentence on why it can't be loaded.
    """
    default = torch.get_num_threads()
    torch.set_num_threads(1)  # see ModelRunner.take_thread
    source, tokenizer = load_pretrained(model, device=device, dtype=dtype)
    config, stop_ids = source.config, _stop_ids(source, tokenizer)
    network = Network(source)
    if threads is None:
        threads = 1 if network.parameters < _SMALL else default
    return LoadedModel(network, tokenizer, _card(model, config, network), stop_ids, threads)


def load_pretrained(
    model: str, *, device: str | None = None, dtype: torch.dtype | None = None
) -> tuple[PreTrainedModel, PromptTokenizer]:
    """Load a model as transformers has it, on its device; arguments as in `load_model`."""
    source = _source(model)
    _quieten_libraries()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    config = _config(model, source)
    tokenizer = _tokenizer(model, source)
    return _network(model, source, config, device, dtype or torch.bfloat16), tokenizer


def _spare_memory(network: Network) -> int:
    """Bytes that conversations may take of the device's memory, working memory set aside."""
    if network.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(network.device)
        return max(0, free - _WORKING_BYTES)
    return min(_CPU_CACHE_BYTES, int(psutil.virtual_memory().available) // 2)


def _quieten_libraries() -> None:
    """What goes wrong is told in one sentence of ours, not in retries and advice of theirs."""
    for library in (transformers_logging, hub_logging):
        library.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def _source(model: str) -> str:
    """Tell a folder from a hub id."""
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelUnavailable(f"The folder {model} holds no model: it has no config.json.")
        return str(path)
    if path.exists() or not _HUB_ID.fullmatch(model):
        raise ModelUnavailable(
            f"There is no model folder {model}; give a folder, or a hub id such as {NANO_9B}."
        )
    return model


def _config(model: str, source: str) -> Any:
    with _reading(model):
        config = AutoConfig.from_pretrained(source)
    if config.model_type != "nemotron_h":
        raise ModelUnavailable(
            f"{model} is a model of type {config.model_type}; this app runs nemotron_h models with "
            "the prompt template of Nemotron Nano 2."
        )
    # Prefill would clamp the time step where decoding does not, so the two would disagree.
    config.time_step_min = 0.0
    return config


def _tokenizer(model: str, source: str) -> PromptTokenizer:
    with _reading(model):
        tokenizer = AutoTokenizer.from_pretrained(source)
    return PromptTokenizer(tokenizer.backend_tokenizer)


def _network(
    model: str, source: str, config: Any, device: str, dtype: torch.dtype
) -> PreTrainedModel:
    with _reading(model):
        # Straight to the device, so that the weights never need to fit the host's memory.
        network, report = AutoModelForCausalLM.from_pretrained(
            source,
            config=config,
            dtype=dtype,
            device_map=device,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        raise ModelUnavailable(
            f"The model in {model} is incomplete: {len(missing)} tensors are missing, such as "
            f"{missing[0]}."
        )
    return network.eval()


@contextmanager
def _reading(model: str) -> Iterator[None]:
    """Turn whatever a library says of a file it can't read into one sentence."""
    try:
        yield
    except Exception as error:
        if _HUB_ID.fullmatch(model) and not Path(model).is_dir():
            raise ModelUnavailable(
                f"{model} can't be fetched from the Hugging Face Hub: check the name, the network, "
                f"and HF_TOKEN if it needs permission ({_first_line(error)})."
            ) from error
        raise ModelUnavailable(
            f"The model in {model} can't be read: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _stop_ids(network: PreTrainedModel, tokenizer: PromptTokenizer) -> frozenset[int]:
    """All that ends a turn: by the template, the configuration and the generation defaults."""
    ids = {tokenizer.control_id(TURN_END)}
    for settings in (network.config, network.generation_config):
        eos = getattr(settings, "eos_token_id", None)
        ids.update(eos if isinstance(eos, Iterable) else () if eos is None else (eos,))
    return frozenset(ids)


def _card(model: str, config: Any, network: Network) -> ModelCard:
    context_length = int(config.max_position_embeddings)
    folder = Path(model).expanduser()
    name = folder.resolve().name if folder.is_dir() else model
    kind, description = ModelKind.OTHER, "A model of the nemotron_h architecture."
    if folder.is_dir() and folder.resolve() == EMBEDDED_MODEL_DIR:
        kind = ModelKind.EMBEDDED
        description = (
            "A small stand-in trained by this project, with the architecture of Nemotron Nano 2 "
            "and none of NVIDIA's weights."
        )
    elif name.split("/")[-1] == NANO_9B.split("/")[-1]:
        kind = ModelKind.NANO_9B
        description = "NVIDIA-Nemotron-Nano-9B-v2, the real model."
    default_budget = min(32_768, context_length // 2)
    return ModelCard(
        name=name,
        kind=kind,
        description=description,
        context_length=context_length,
        max_thinking_budget=int(getattr(config, "max_thinking_budget", None) or default_budget),
        parameters=network.parameters,
        device=_device_name(network.device),
        dtype=str(network.weight_dtype).removeprefix("torch."),
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def has_room_for_9b() -> bool:
    """Whether there is a CUDA GPU with memory for the 9B's weights and a conversation."""
    if not torch.cuda.is_available():
        return False
    free, _ = torch.cuda.mem_get_info()
    return bool(free >= _NANO_9B_BYTES)
