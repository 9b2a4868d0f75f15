"""Run llama.cpp's HTTP server on a model until standard input ends.

Run with the Python of llama.cpp's own environment, which has nothing of the app:

    build/peers/llamacpp/bin/python benchmarks/peers/llamacpp_server.py GGUF THREADS SLOTS CONTEXT

CONTEXT is the number of tokens of each slot. The server's address is printed once it serves.
"""

import sys

import xllamacpp


def main() -> None:
    """Serve."""
    gguf, threads, slots, context = sys.argv[1], *map(int, sys.argv[2:5])
    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.port = 0  # a free one
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cont_batching = True
    params.fit_params = False  # take the sizes above as they are
    # No reuse between requests: prompts that are alike would cost nothing.
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.n_ctx_checkpoints = 0
    params.verbosity = 5
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()  # whoever started this holds the other end


if __name__ == "__main__":
    main()
