"""Where and when a benchmark ran, for its report."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch


def describe_run() -> dict[str, object]:
    """Date, processor, torch's instruction set, threads and versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers")},
    }


def _processor() -> str:
    """The processor's name, family and model, as Linux tells them; elsewhere the architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines())
    facts = {key.strip(): value.strip() for key, _, value in lines}
    names = ("model name", "cpu family", "model")
    name, family, model = (facts.get(key, "?") for key in names)
    return f"{name} (family {family}, model {model}), {torch.get_num_interop_threads()} cores"
