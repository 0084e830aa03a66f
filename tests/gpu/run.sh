#!/bin/sh
# run.sh [BUILD]   what needs a GPU, in at most ten minutes on a machine with a few cores and the compiler cache filled; 77 (skipped) without one
#
# Builds with CUDA, holds each kernel to its twin, ranks to what they should hear and training to PyTorch's and to the CPU's, and then times rows G1, G2 and
# G4 of the list of goals. What it found is written to tests/gpu/results/DATE.md, to be committed.
set -eu
cd "$(dirname -- "$0")/../.."
build=${1-build-gpu}
begun=$(date +%s)

if [ ! -e /dev/nvidiactl ] && [ ! -e /dev/dxg ]; then
    echo "skipped: this machine has no NVIDIA driver"
    exit 77
fi
command -v nvcc >/dev/null || PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null || {
    echo "there is a GPU, but no nvcc in PATH or /usr/local/cuda: install the CUDA 13 toolkit" >&2
    exit 1
}

left() { echo $((590 - $(date +%s) + begun)); }
[ -e "$build/build.ninja" ] || meson setup "$build" -Dcuda=enabled -Dtorch=enabled
timeout "$(left)" ninja -C "$build" engine/stillroom plugins/train/train.so plugins/train/train_compute.so plugins/checkpoint/checkpoint.so \
    plugins/data/data.so tests/plugins/lm/kernels_test tests/plugins/lm/modules/modules_test tests/plugins/lm/train/learning_test \
    tests/gpu/gpu_ranks tests/gpu/train_bench

mkdir -p tests/gpu/results
result=tests/gpu/results/$(date -u +%Y-%m-%d).md
failed=0

# say TITLE COMMAND...: a line of the table
say() {
    title=$1
    shift
    if timeout "$(left)" "$@" >"$build/gpu.log" 2>&1; then
        if grep -q '^skipped\|MESSAGE: skipped' "$build/gpu.log"; then
            found="skipped: $(sed -n 's/.*skipped: //p' "$build/gpu.log" | head -1)"
        else
            found=passed
        fi
    else
        found="FAILED: $(grep -m1 'ERROR\|error' "$build/gpu.log" || tail -1 "$build/gpu.log")"
        failed=1
    fi
    echo "| $title | $found |" | tee -a "$result"
}

{
    echo "# On a GPU, $(date -u +%Y-%m-%d)"
    echo
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | sed 's/^/- /'
    nvcc --version | sed -n 's/.*\(release .*\)/- CUDA \1/p'
    "$build/engine/stillroom" --version | sed 's/^/- /'
    echo
    echo "| what | found |"
    echo "| --- | --- |"
} >"$result"
cat "$result"
say "each kernel is its twin" "$build/tests/plugins/lm/kernels_test" -tc="a device*"
say "every loss over a head is PyTorch's" "$build/tests/plugins/lm/modules/modules_test" -tc="the kernels of a device*"
say "every family's gradients are the CPU's" "$build/tests/plugins/lm/modules/modules_test" -tc="*gradients on a device*"
say "twenty steps of training are PyTorch's" "$build/tests/plugins/lm/train/learning_test" -tc="twenty steps on a device*"
say "NCCL alone says everything to itself" "$build/tests/gpu/gpu_ranks" -tc="NCCL alone*"
say "two ranks on one device, by Gloo" "$build/tests/gpu/gpu_ranks" -tc="two ranks on one*"
say "ranks on a device each, by NCCL" "$build/tests/gpu/gpu_ranks" -tc="ranks on a device each*"
say "train.distill on the device is the CPU's, on one rank and on two" python3 tests/gpu/same_training.py "$build/engine/stillroom"

{
    echo
    echo "| goal | what | found | wanted | memory |"
    echo "| --- | --- | --- | --- | --- |"
} | tee -a "$result"
for row in head pretrain distill; do
    timeout "$(left)" "$build/tests/gpu/train_bench" "$row" >"$build/gpu.log" 2>&1 || {
        echo "| | $row | not measured: $(tail -1 "$build/gpu.log") | | |" >"$build/gpu.row"
        grep '^|' "$build/gpu.log" >/dev/null || cp "$build/gpu.row" "$build/gpu.log"
    }
    grep '^|' "$build/gpu.log" | tee -a "$result"
done
echo "in $result, after $(($(date +%s) - begun)) s"
exit "$failed"
