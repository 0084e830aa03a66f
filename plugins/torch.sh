#!/bin/sh
# LibTorch for the plugins: where it is, or how to get it.
#
#   torch.sh find    print the folder that holds lib/ and include/ of a LibTorch 2.11; 1 if there is none
#   torch.sh fetch   the same, after downloading it if need be
#
# Looked at, in this order: STILLROOM_TORCH, our cache, a torch installed as a Python package. What is fetched is the wheel
# of PyPI, used as a plain archive: only its lib/ and include/ are unpacked, any Python will do, none is needed later. The
# cache is shared by all checkouts; where there is a GPU, what LibTorch needs for it comes too:
#
#   ${XDG_CACHE_HOME:-~/.cache}/stillroom/libtorch-2.11.0-cp312-x86_64/torch/{lib,include}
#                                                                     /nvidia/*/lib         where no toolkit has them
#
# The wheel's libraries look for nvidia/ beside torch/. Either folder is unpacked under another name and renamed when it is
# whole, so that a final name never holds half. flock keeps two at once apart; a lock dies with its process.
set -eu

release=2.11.0
torch_wheel="torch==$release 0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756"
runtime_wheel="nvidia-cuda-runtime==13.0.96 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"
cupti_wheel="nvidia-cuda-cupti==13.0.85 4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"
# What its GPU side takes from elsewhere: a library, where the wheel looks for it, what brings it. The rest is the toolkit's.
gpu_wheels="libcufile.so.0 cu13 nvidia-cufile==1.15.1.6 08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44
libcusparseLt.so.0 cusparselt nvidia-cusparselt-cu13==0.8.0 25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd
libnvshmem_host.so.3 nvshmem nvidia-nvshmem-cu13==3.4.5 290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80
libnccl.so.2 nccl nvidia-nccl-cu13==2.28.9 e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42
libcudnn.so.9 cudnn nvidia-cudnn-cu13==9.19.0.56 d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf"
needed_megabytes=1800 # the wheel (531) and what is taken out of it (1,040), both there for a moment

say() { printf 'stillroom: %s\n' "$*" >&2; }
fail() {
    code=$1
    shift
    say "error: $1"
    shift
    for hint; do printf '  hint: %s\n' "$hint" >&2; done
    exit "$code"
}

home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
case "${XDG_CACHE_HOME-}" in
/*) cache=$XDG_CACHE_HOME/stillroom ;;
*) cache=${home:-$PWD}/.cache/stillroom ;;
esac
store=$cache/libtorch-$release-cp312-x86_64

is_torch() { [ -e "$1/lib/libtorch_cpu.so" ] && [ -e "$1/lib/libc10.so" ] && [ -e "$1/include/ATen/core/Tensor.h" ]; }

find_given() {
    for folder in "$STILLROOM_TORCH" "$STILLROOM_TORCH/torch"; do
        if is_torch "$folder"; then
            (CDPATH='' cd -- "$folder" && pwd)
            return
        fi
    done
    fail 2 "STILLROOM_TORCH is '$STILLROOM_TORCH', which holds no lib/libtorch_cpu.so and include/ATen/" \
        "name the folder that holds lib/ and include/, 'none' for the engine alone, or unset it"
}

# Reads the package's version file: importing torch would take seconds.
find_package() {
    command -v python3 >/dev/null || return 1
    folder=$(python3 - "${release%.*}." 2>/dev/null <<'END'
import importlib.util, pathlib, re, sys
spec = importlib.util.find_spec("torch")
folder = pathlib.Path(spec.origin).parent
version = re.search(r"__version__ = '([^']*)'", (folder / "version.py").read_text()).group(1)
print(folder if version.startswith(sys.argv[1]) else "")
END
    ) && [ -n "$folder" ] && is_torch "$folder" && printf '%s\n' "$folder"
}

find_torch() {
    if [ -n "${STILLROOM_TORCH-}" ]; then
        find_given
    elif is_torch "$store/torch"; then
        printf '%s\n' "$store/torch"
    else
        find_package
    fi
}

# What the dynamic loader would miss; the two that the wheel's CPU side takes from CUDA are ours to add.
lacks() { ldd "$1/lib/${2-libtorch_cpu.so}" | awk '/not found/ { print $1 }'; }
gpu_lacks() { lacks "$1" libtorch_cuda.so | sort -u; }
has_gpu() { [ -e /dev/nvidiactl ] || [ -e /dev/dxg ]; }

find_pip() {
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -m pip --version >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail 4 "no python3 with pip, which fetches LibTorch" "apt-get install python3-pip"
}

# NAME==VERSION SHA256 DESTINATION FOLDER...: fetches a wheel, checks it against the pin, takes folders out of it.
unpack_wheel() {
    wheel=$1 pin=$2 destination=$3
    shift 3
    python=$(find_pip)
    rm -rf "$work/wheels"
    mkdir -p "$work/wheels" "$work/tmp"
    TMPDIR=$work/tmp "$python" -m pip --disable-pip-version-check download --no-deps --no-cache-dir --only-binary=:all: \
        --implementation cp --python-version 312 --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_25_x86_64 --platform manylinux2014_x86_64 --dest "$work/wheels" "$wheel" >&2 ||
        fail 5 "cannot download $wheel" "what pip said is above; the same command tries again" \
            "STILLROOM_TORCH=FOLDER takes a LibTorch $release you have, STILLROOM_TORCH=none builds the engine alone"
    archive=$(find "$work/wheels" -name '*.whl')
    found=$(sha256sum "$archive" | cut -d' ' -f1)
    [ "$found" = "$pin" ] ||
        fail 9 "$wheel has SHA-256 $found, not the pinned $pin" "a cut download or another file: the same command tries again"
    "$python" - "$archive" "$destination" "$@" <<'END' || fail 4 "cannot unpack $wheel into $cache"
import sys, zipfile
try:
    with zipfile.ZipFile(sys.argv[1]) as archive:
        wanted = [name for name in archive.namelist() if name.startswith(tuple(sys.argv[3:])) and not name.endswith(".a")]
        archive.extractall(sys.argv[2], wanted)
except (OSError, zipfile.BadZipFile) as error:
    sys.exit(f"stillroom: {error}")
END
    rm -rf "$work/wheels"
}

# Under the lock nobody else works here, so what an earlier one left unfinished can go.
begin_work() {
    mkdir -p "$cache" || fail 4 "cannot write $cache" "set XDG_CACHE_HOME to a folder that can be written"
    exec 8>"$cache/.libtorch.lock"
    flock -n 8 || {
        say "another stillroom fetches LibTorch: waiting for it"
        flock 8
    }
    rm -rf "$cache"/.libtorch-unfinished.*
    work=$cache/.libtorch-unfinished.$$
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir "$work"
}

need_space() {
    free=$(($(df -Pk "$cache" | awk 'NR == 2 { print $4 }') / 1024))
    [ "$free" -ge "$1" ] ||
        fail 4 "LibTorch needs $1 MB free in $cache, there are $free" "make room, or set XDG_CACHE_HOME to a larger disk"
}

fetch_torch() {
    [ "$(uname -sm)" = "Linux x86_64" ] ||
        fail 4 "LibTorch can be fetched for Linux on x86_64 only, this is $(uname -sm)" "STILLROOM_TORCH=FOLDER takes one you have"
    begin_work
    if ! is_torch "$store/torch"; then
        need_space "$needed_megabytes"
        say "fetching LibTorch $release (531 MB, 1.0 GB unpacked) into $store"
        # shellcheck disable=SC2086 # a name and a pin
        unpack_wheel $torch_wheel "$work/new" torch/lib/ torch/include/
        is_torch "$work/new/torch" || fail 9 "torch==$release does not hold lib/ and include/ as expected"
        mkdir -p "$store"
        mv -T "$work/new/torch" "$store/torch"
    fi
    if lacks "$store/torch" | grep -q -E 'libcudart|libcupti' && [ ! -d "$store/nvidia" ]; then
        need_space 200
        say "fetching the CUDA runtime libraries that LibTorch loads even without a GPU (13 MB)"
        # shellcheck disable=SC2086 # a name and a pin
        {
            unpack_wheel $runtime_wheel "$work/cuda" nvidia/cu13/lib/
            unpack_wheel $cupti_wheel "$work/cuda" nvidia/cu13/lib/
        }
        mv -T "$work/cuda/nvidia" "$store/nvidia"
    fi
}

# Each library that the loader misses, one file at a time beside those that are there.
fetch_gpu() {
    begin_work
    missing=$(gpu_lacks "$store/torch")
    printf '%s\n' "$gpu_wheels" | while read -r library folder wheel pin; do
        printf '%s\n' "$missing" | grep -q -x -F "$library" || continue
        need_space 1500
        say "fetching $wheel, which LibTorch needs on a GPU"
        unpack_wheel "$wheel" "$pin" "$work/gpu" "nvidia/$folder/lib/"
        mkdir -p "$store/nvidia/$folder/lib"
        mv "$work/gpu/nvidia/$folder/lib"/* "$store/nvidia/$folder/lib/"
    done
    missing=$(gpu_lacks "$store/torch")
    [ -z "$missing" ] || say "stages run on the CPU: on a GPU LibTorch needs $(printf '%s' "$missing" | tr '\n' ' ') of the CUDA 13 toolkit"
}

case "${1-}" in
find)
    find_torch
    ;;
fetch)
    folder=$(find_torch) || {
        code=$?
        [ "$code" -eq 1 ] || exit "$code"
        folder=$store/torch
    }
    if [ "$folder" = "$store/torch" ] && { ! is_torch "$folder" || [ -n "$(lacks "$folder")" ]; }; then
        (fetch_torch)
    fi
    absent=$(lacks "$folder")
    [ -z "$absent" ] || fail 4 "LibTorch in $folder needs libraries that are not here: $(printf '%s' "$absent" | tr '\n' ' ')" \
        "of CUDA 13: install its toolkit, or nvidia-cuda-runtime==13.0.* and nvidia-cuda-cupti==13.0.* beside that torch"
    if [ "$folder" = "$store/torch" ] && has_gpu && [ -n "$(gpu_lacks "$folder")" ]; then
        (fetch_gpu)
    fi
    printf '%s\n' "$folder"
    ;;
*)
    fail 2 "torch.sh takes 'find' or 'fetch', not '${1-}'"
    ;;
esac
