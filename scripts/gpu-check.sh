#!/usr/bin/env bash
# Checks Rekindle on this machine's NVIDIA GPU: builds with CUDA, runs the trainers' tests on the GPU, exact resume with
# deterministic algorithms and the bytes that CUDA graphs come to among them, and measures training beside PyTorch, with CUDA
# graphs and without, and the time to accuracy on CIFAR-10. The figures go to docs/gpu.md, with the card's name.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader; then
    echo "gpu-check: there is no NVIDIA GPU here, or its driver does not answer" >&2
    exit 1
fi

make setup CUDA=1 PYTORCH=1
[ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"

# The same bytes each time need cuBLAS to keep its work space in one place (CUDA's documentation of cuBLAS, "Results
# reproducibility").
export CUBLAS_WORKSPACE_CONFIG=:4096:8
echo "==> tests on the GPU"
REKINDLE_TEST_GPU=1 cargo test --package torch --package classifier-trainer --package dit-trainer --no-fail-fast \
    -- --test-threads=2

echo "==> training steps, memory and start beside PyTorch"
unset CUBLAS_WORKSPACE_CONFIG
cargo build --release --workspace --bins
export REKINDLE_BENCH_PAGE=docs/gpu.md
target/release/bench dit-twin step dit-step cold-start

echo "==> time to accuracy beside PyTorch"
if python3 scripts/setup.py --only cifar10; then
    REKINDLE_BENCH_IMAGES=data/datasets target/release/bench time-to-accuracy
else
    echo "gpu-check: CIFAR-10 could not be had, so the time to accuracy is left out" >&2
fi

echo "gpu-check: done; docs/gpu.md has the figures"
