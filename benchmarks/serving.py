"""Many clients on one model: throughput, time to first token, time between tokens.

The same load is put on the app's engine and on its peers, on the same weights, threads and machine,
in turn; ratios are taken round by round, so a machine that drifts drifts for all.

    sh benchmarks/peers/install.sh      (vLLM and llama.cpp, each in an environment of its own)
    python -m benchmarks.serving [--model random|tiny|DIR] [--rounds 3] [--without vllm generate]
    python -m benchmarks.serving --clients 32 --rate 4     (only this load: Poisson arrivals)

The last line is one JSON object.
"""

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.load import Figures, Load, Target
from benchmarks.machine import describe_run
from benchmarks.peers.client import LLAMACPP_EXTRA
from benchmarks.peers.gguf_export import export_gguf
from benchmarks.peers.servers import PeerFailed, PeerMissing, llamacpp_server, vllm_server
from benchmarks.prompts import Prompts
from benchmarks.random_hybrid import save_random_hybrid
from benchmarks.targets import AppEngine, LockedGenerate, Server, StaticBatch, Transformers
from benchmarks.under_load import (
    between_tokens_during_prefill,
    engine_overhead,
    follow_up,
    many_on_few_slots,
)
from nano2_app.config import EMBEDDED_MODEL_DIR
from nano2_app.engine.local.loader import LoadedModel, load_model
from nano2_app.engine.local.local_engine import LocalEngine

SLOTS = 8
PEERS = ("generate", "batch", "vllm", "llamacpp")


@contextmanager
def started(
    folder: Path, threads: int, dtype: torch.dtype, without: set[str]
) -> Iterator[dict[str, Target]]:
    """Start the engines that are there; those that are not are named, and left out.

    `dtype` is what transformers and vLLM compute in. The app keeps weights in 16 bits and computes
    in float32, as llama.cpp does.
    """
    loaded = load_model(str(folder), threads=threads)
    targets: dict[str, Target] = {}
    with ExitStack() as stack:
        engine = start_engine(loaded)
        stack.callback(engine.close)
        targets["app"] = AppEngine(engine)
        if not {"generate", "batch"} <= without:
            transformers = Transformers(folder, threads=threads, dtype=dtype)
            stack.callback(transformers.close)
            targets["generate"] = LockedGenerate(transformers)
            targets["batch"] = StaticBatch(transformers)
        try:
            if "llamacpp" not in without:
                gguf = export_gguf(folder, folder.with_suffix(".gguf"))
                url = stack.enter_context(
                    llamacpp_server(
                        gguf, threads=threads, slots=SLOTS, context=loaded.card.context_length
                    )
                )
                targets["llamacpp"] = Server("llama.cpp", url, LLAMACPP_EXTRA)
        except (PeerMissing, PeerFailed) as error:
            print(error)
        try:
            if "vllm" not in without:
                url = stack.enter_context(
                    vllm_server(
                        folder,
                        dtype=str(dtype).removeprefix("torch."),
                        threads=threads,
                        max_num_seqs=SLOTS,
                        max_model_len=loaded.card.context_length,
                    )
                )
                targets["vllm"] = Server("vLLM", url)
        except (PeerMissing, PeerFailed) as error:
            print(error)
        yield {name: target for name, target in targets.items() if name not in without}


def start_engine(loaded: LoadedModel) -> LocalEngine:
    """The app's engine, which no token ends."""
    runner = loaded.runner(slots=SLOTS)
    return LocalEngine(runner, loaded.tokenizer, loaded.card, stop_ids=(), max_waiting=256)


def native() -> str:
    """The faster of the two types for transformers: a processor may lack bfloat16 arithmetic."""
    return "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"


Rounds = dict[tuple[str, int], list[Figures]]


async def measure(targets: Mapping[str, Target], prompts: Prompts, tokens: int, n: int) -> Rounds:
    """Put the loads of one and of eight clients on every engine in turn, `n` times."""
    for target in targets.values():
        await target.run(Load.at_once(prompts.make(SLOTS), 8))  # warm up
    rounds: Rounds = {(name, clients): [] for name in targets for clients in (1, SLOTS)}
    for _ in range(n):
        for (name, clients), figures in rounds.items():
            load = Load.at_once(prompts.make(clients), tokens)
            figures.append(Figures.of(await targets[name].run(load)))
    return rounds


def ratios(rounds: Rounds) -> dict[str, float | None]:
    """The app's throughput by each peer's, medians over the rounds; None for one not there."""

    def ratio(peer: str, clients: int) -> float | None:
        if (peer, clients) not in rounds:
            return None
        pairs = zip(rounds["app", clients], rounds[peer, clients], strict=True)
        return statistics.median(ours.throughput / theirs.throughput for ours, theirs in pairs)

    return {
        "throughput_8_vs_locked_generate": ratio("generate", SLOTS),
        "throughput_8_vs_static_batch": ratio("batch", SLOTS),
        "throughput_8_vs_vllm": ratio("vllm", SLOTS),
        "throughput_8_vs_llamacpp": ratio("llamacpp", SLOTS),
        "throughput_1_vs_generate": ratio("generate", 1),
        "throughput_1_vs_vllm": ratio("vllm", 1),
        "throughput_1_vs_llamacpp": ratio("llamacpp", 1),
    }


ROW = "{:22}{:>8}{:>10}{:>20}{:>20}"


def print_table(targets: Mapping[str, Target], rounds: Rounds) -> None:
    """One line per engine and number of clients: medians over the rounds."""
    print(ROW.format("", "clients", "tokens/s", "first token, ms", "between, ms"))
    print(ROW.format("", "", "", "p50   p95   p99", "p50   p95   p99"))
    for (name, clients), figures in sorted(rounds.items(), key=lambda item: item[0][1]):
        throughput = statistics.median(one.throughput for one in figures)
        first, between = (
            "".join(f"{1000 * statistics.median(p):6.4g}" for p in zip(*rows, strict=True))
            for rows in (
                [one.first_token for one in figures],
                [one.inter_token for one in figures],
            )
        )
        print(ROW.format(targets[name].name, clients, f"{throughput:.0f}", first, between))


def model_folder(name: str) -> Path:
    """The folder of a model: made for the benchmark, the embedded one, or somebody's own."""
    return {"random": save_random_hybrid, "tiny": lambda: EMBEDDED_MODEL_DIR}.get(
        name, lambda: Path(name)
    )()


async def one_load(targets: Mapping[str, Target], load: Load) -> dict[str, object]:
    """Put one load of the caller's own on every engine."""
    result: dict[str, object] = {}
    print(ROW.format("", "clients", "tokens/s", "first token, ms", "between, ms"))
    for name, target in targets.items():
        rounds: Rounds = {(name, len(load.prompts)): [Figures.of(await target.run(load))]}
        print_table(targets, rounds)
        result[name] = asdict(rounds[name, len(load.prompts)][0])
    return result


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="random")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--dtype",
        choices=("bfloat16", "float32"),
        default=native(),
        help="of transformers and vLLM",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--output-tokens", type=int, default=128)
    parser.add_argument("--without", nargs="*", default=[], choices=PEERS)
    parser.add_argument("--clients", type=int, help="only one load, of so many clients")
    parser.add_argument("--rate", type=float, help="with --clients: arrivals a second")
    arguments = parser.parse_args()
    folder = model_folder(arguments.model)
    tokens = arguments.output_tokens
    dtype = getattr(torch, arguments.dtype)
    with started(folder, arguments.threads, dtype, set(arguments.without)) as targets:
        prompts = Prompts(folder, arguments.prompt_tokens)
        if arguments.clients:
            asked = prompts.make(arguments.clients)
            load = Load.at_once(asked, tokens)
            if arguments.rate:
                load = Load.poisson(asked, tokens, rate=arguments.rate)
            result = asyncio.run(one_load(targets, load))
            print(json.dumps({"benchmark": "serving", "load": result} | describe_run()))
            return
        rounds = asyncio.run(measure(targets, prompts, tokens, arguments.rounds))
    print_table(targets, rounds)
    report = ratios(rounds) | own_figures(folder, arguments.threads, prompts)
    for name, value in report.items():
        print(f"{name:34}{'not there' if value is None else f'{value:.3g}':>10}")
    result = {"benchmark": "serving", "model": folder.name, "ratios": report}
    result["peers_dtype"] = arguments.dtype
    print(json.dumps(result | describe_run() | {"rounds": in_json(rounds)}))


def own_figures(folder: Path, threads: int, prompts: Prompts) -> dict[str, float]:
    """What is measured of the app's engine alone, its peers stopped."""
    loaded = load_model(str(folder), threads=threads)
    print(many_on_few_slots(start_engine(loaded), prompts))
    return {
        "itl_p95_during_prefill": between_tokens_during_prefill(start_engine(loaded), prompts),
        "followup_ttft": follow_up(start_engine(loaded), prompts),
        "engine_overhead": engine_overhead(loaded, prompts, slots=SLOTS),
    }


def in_json(rounds: Rounds) -> dict[str, list[dict[str, object]]]:
    """All rounds, by engine and clients."""
    return {
        f"{name}_{clients}": [asdict(one) for one in figures]
        for (name, clients), figures in rounds.items()
    }


if __name__ == "__main__":
    main()
